"""Leaving a whole corpus or a whole language out: heads fitted on the others, tested on it.

This says what to expect in speech unlike the training's better than leaving speakers out: a corpus has its own
rooms, texts and way of acting. Corpora that are for testing only are tested here as well and teach nothing. The
encoder stays as it is; it was distilled without labels, possibly on recordings of the corpus that is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from affect_pipeline.model.corpora import TESTING_ONLY, Recording
from affect_pipeline.model.embed import Embedded, embed
from affect_pipeline.model.encoder import AffectiveEncoder
from affect_pipeline.model.evaluate import Array, Judged, has_answers, training_plan
from affect_pipeline.model.heads import TASKS, HeadPlan, Windows, fit_heads
from affect_pipeline.model.train import fine_tuned_on, prosody_columns, to_windows

BY_CORPUS, BY_LANGUAGE = "taught by the other corpora", "taught by the other languages"

Known = tuple[Sequence[Recording], Embedded, Windows]


def judge_transfer(
    encoder: AffectiveEncoder,
    corpora: Sequence[Sequence[Recording]],
    work: Path | None = None,
    done: Callable[[], None] | None = None,
) -> list[Judged]:
    """Return logits of each labelled corpus from heads that other corpora, and other languages, taught.

    Parameters
    ----------
    encoder : AffectiveEncoder
        Its heads are not used. Corpora with whose labels its encoder was tuned can neither be left out nor compared,
        and are passed over.
    corpora : sequence of sequences of Recording
        Those without labels, and those for testing only, teach nothing.
    work : Path, optional
        Folder that keeps embeddings.
    done : callable, optional
        Called after each recording.

    Returns
    -------
    list of Judged
        Of each corpus, under the protocols `BY_CORPUS` and `BY_LANGUAGE`, where another corpus or another language
        could teach at least one task; NaN for tasks that none could.
    """
    tuned = fine_tuned_on(encoder)
    labelled = [corpus for corpus in corpora if has_answers(corpus) and corpus[0].corpus not in tuned]
    if not any(_may_teach(teacher, test, BY_CORPUS) for teacher in labelled for test in labelled):
        return []
    known = [_embed(encoder, corpus, work, done) for corpus in labelled]
    plan, n_prosody = training_plan(encoder).heads, prosody_columns(encoder)
    judged = []
    for test, embedded, windows in known:
        fitted: dict[tuple[int, ...], Array] = {}  # often the same corpora teach under both protocols
        for protocol in (BY_CORPUS, BY_LANGUAGE):
            teachers = tuple(i for i, (corpus, _, _) in enumerate(known) if _may_teach(corpus, test, protocol))
            if not teachers:
                continue
            if teachers not in fitted:
                taught = _join([known[i][2] for i in teachers])
                fitted[teachers] = _logits(taught, windows, embedded, len(test), plan, n_prosody)
            logits = fitted[teachers]
            if not np.isnan(logits).all():
                judged.append(Judged(tuple(test), logits, protocol))
    return judged


def _may_teach(teacher: Sequence[Recording], test: Sequence[Recording], protocol: str) -> bool:
    if teacher[0].corpus == test[0].corpus or teacher[0].corpus in TESTING_ONLY:
        return False
    return protocol == BY_CORPUS or not {r.language for r in teacher} & {r.language for r in test}


def _embed(
    encoder: AffectiveEncoder, corpus: Sequence[Recording], work: Path | None, done: Callable[[], None] | None
) -> Known:
    heard = encoder.affect.training.get("corpora", {}).get(corpus[0].corpus, {})
    # As the other protocols embed it, so that what they kept is found: copies where the training used them.
    if heard.get("labelled"):
        plan = training_plan(encoder)
        embedded = embed(encoder, corpus, copies=plan.copies, seed=plan.seed, cache=work, done=done)
    else:
        embedded = embed(encoder, corpus, cache=work, done=done)
    return corpus, embedded, to_windows(embedded, corpus)


def _join(parts: Sequence[Windows]) -> Windows:
    starts = np.cumsum([0, *(int(part.source.max(initial=-1)) + 1 for part in parts)])
    columns = {name: [getattr(part, name) for part in parts] for name in Windows.__dataclass_fields__}
    columns["source"] = [part.source + start for part, start in zip(parts, starts, strict=False)]
    return Windows(*(np.concatenate(columns[name]) for name in Windows.__dataclass_fields__))


def _logits(taught: Windows, windows: Windows, embedded: Embedded, n: int, plan: HeadPlan, n_prosody: int) -> Array:
    heads = fit_heads(taught, plan, n_prosody)
    per_window = heads.logits(windows.raw)
    for index in range(len(TASKS)):
        answered = taught.answers[:, index]
        if len(np.unique(answered[~np.isnan(answered)])) < 2:
            per_window[:, index] = np.nan
    present, means = embedded.mean_by_recording(per_window)
    logits = np.full((n, len(TASKS)), np.nan)
    logits[present] = means
    return logits

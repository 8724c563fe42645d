"""What the model card says of a depression head that questionnaires taught."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from affect_pipeline.model.depression.figures import METRICS


def uses(affect: dict[str, Any]) -> str | None:
    """Return the section on uses, None for a model that acted moods taught."""
    about = affect.get("training", {}).get("depression")
    if not about:
        return None
    corpora = " and ".join(sorted(about["corpora"]))
    return f"""## Uses

Intended: research on following one person's change over time, beside that person's own baseline, by people who care for
them and who decide themselves.

Excluded: diagnosis, screening, triage, comparing people with one another, decisions about employment, insurance or
admission, and any commercial use; whatever the agreement of the corpus excludes.

**The depression head was fitted on {about["labels"]} questionnaire labels of {corpora}**: what people said of
their last two weeks, around an interview with a virtual interviewer. It is no low-mood proxy of acted speech, and it is
no diagnosis either: a questionnaire is not one, interviews are not journals, and the figures below say how far
participants that taught nothing were told apart. `depression_probability` is for somebody of whom nothing else is known
and who is as likely to be above the cut as below; among people who rarely are, far fewer of those with a high value are
depressed than it says."""


def clinical_data(affect: dict[str, Any], metrics: dict[str, Any]) -> list[str]:
    """Return the section on the interviews that taught; empty for a model that acted moods taught."""
    about = affect.get("training", {}).get("depression")
    if not about:
        return []
    rows = [
        (name, entry["language"], part, entry["participants"][part], entry["depressed"][part])
        for name, entry in sorted(about["corpora"].items())
        for part in entry["participants"]
    ]
    header = ("corpus", "language", "official part", "participants", "PHQ-8 of ten or more")
    text = (
        f"## Interviews that taught the depression head\n\n{table(header, rows)}\n\nThe interviewer was cut out by the "
        "transcripts: only the participants' turns were heard, and where both spoke neither. One participant counts as "
        "one, by the mean over all windows. Two linear heads were fitted on the training part, one for a PHQ-8 of ten "
        "or more (both answers weighing the same) and one for the PHQ-8; the development part chose their penalties, "
        "and with folds of the training part the temperature; the test part was only judged."
    )
    if weights := about.get("weights"):
        shares = ", ".join(f"{name} {value:.2f}" for name, value in sorted(weights.items()))
        text += (
            " For interviews with more than a voice, calibrated log-odds of other modalities are added, with weights "
            f"between 0 and 1 ({shares}); one that is missing adds nothing, so journals are scored by voice alone."
        )
    if kept := metrics.get("kept_from"):
        text += (
            f" Valence, arousal and emotions are heard by the weights of `{kept[:12]}`, unchanged: their figures below "
            "were measured on that model."
        )
    return [text]


def participants(metrics: dict[str, Any]) -> list[str]:
    """Return the section on figures of participants; empty if there are none."""
    rows = metrics.get("participants")
    if not rows:
        return []
    header = ("corpus", "part", "modalities", "n", "depressed", *METRICS, "gain in auc over voice")
    body = [
        (r["corpus"], r["split"], r["system"], r["n"], r["n_depressed"], *(_interval(r["figures"][m]) for m in METRICS),
         _interval(r["gains"].get("auc")))
        for r in rows
    ]  # fmt: skip
    return [
        "## Participants\n\nF1 of depression and its mean over both answers at even odds, area under the ROC curve; "
        "root mean squared and mean absolute error and concordance correlation of the PHQ-8. In brackets the 95 % "
        "interval by resampling participants. The development part chose penalties, so its figures flatter.\n\n"
        + table(header, body)
    ]


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def _interval(values: dict[str, float | None] | None) -> str:
    if not values or values["value"] is None or values["low"] is None:
        return "-"
    return f"{values['value']:.3f} [{values['low']:.3f}, {values['high']:.3f}]"

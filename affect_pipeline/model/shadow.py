"""Scores the past with another model than the one that scored it, and compares the two.

Scores belong to a model version, so a challenger's stand beside the champion's in the same table and
disturb nothing. The same function shadow-scores recent nights and re-scores the history that
baselines need; it goes on where it was stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from affect_pipeline.errors import JournalError
from affect_pipeline.model.registry import ResolvedModel
from affect_pipeline.model.score_rows import score_table, write_scores
from affect_pipeline.model.scorer import Scorer
from affect_pipeline.model.summary import finite
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.queries import sql

PAGE = 200
"""Journals that are scored and written in one transaction."""

END_OF_TIME = date(9999, 12, 31)

COMPARED = ("depression_logit", "depression_probability", "valence", "arousal")


@dataclass(frozen=True)
class RescoreResult:
    """What re-scoring did.

    Parameters
    ----------
    n_scored : int
        Journals that have a score by the model now and had none before.
    n_without_audio : int
        Journals whose recording is gone, or cannot be decoded any more. They keep their old scores.
    """

    n_scored: int
    n_without_audio: int

    def __add__(self, other: RescoreResult) -> RescoreResult:
        return RescoreResult(self.n_scored + other.n_scored, self.n_without_audio + other.n_without_audio)

    def as_dict(self) -> dict[str, int]:
        """Return the fields as JSON can hold them."""
        return asdict(self)


@dataclass(frozen=True)
class HistoryCoverage:
    """How much of the history a model has scored."""

    n_journals: int
    n_scored: int

    @property
    def n_missing(self) -> int:
        """Journals that the model has not scored."""
        return self.n_journals - self.n_scored

    @property
    def complete(self) -> bool:
        """Whether the model has scored them all."""
        return self.n_missing == 0


@dataclass(frozen=True)
class Agreement:
    """How two models agree on one score over the same journals.

    Parameters
    ----------
    score : str
        Name of the score.
    correlation : float
        Pearson correlation over journals; NaN for fewer than two.
    correlation_within : float
        The same after each patient's mean is taken away: what matters is change within a person.
    mean_difference : float
        Challenger minus champion.
    limits : tuple[float, float]
        95 % limits of agreement (Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8).
    max_difference : float
        Largest absolute difference.
    """

    score: str
    correlation: float
    correlation_within: float
    mean_difference: float
    limits: tuple[float, float]
    max_difference: float


@dataclass(frozen=True)
class Comparison:
    """How a challenger's scores compare with the champion's on the same journals."""

    champion: str
    challenger: str
    n_journals: int
    n_patients: int
    agreements: tuple[Agreement, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them; what is not a number becomes None."""
        values: dict[str, Any] = finite(asdict(self))
        return values


Progress = Callable[[int], None]


def rescore(
    settings: Settings,
    model: ResolvedModel,
    since: date,
    until: date = END_OF_TIME,
    *,
    shard: int = 0,
    n_shards: int = 1,
    progress: Progress | None = None,
) -> RescoreResult:
    """Score journals of the past that a model has not scored, from their recordings.

    Parameters
    ----------
    settings : Settings
        The installation.
    model : ResolvedModel
        The model that is to score.
    since, until : date
        First and last local day.
    shard, n_shards : int
        Which part of the patients; the parts may run at once.
    progress : callable, optional
        Told the number of journals after each page.

    Returns
    -------
    RescoreResult
        Counts of this call.
    """
    arguments = {"since": since, "until": until, "shard": shard, "n_shards": n_shards, "page_size": PAGE}
    arguments["model_digest"] = model.version.digest
    scorer = None
    total = RescoreResult(0, 0)
    for page in _pages(connect(settings), arguments):
        scorer = scorer or Scorer(model.folder, threads=settings.threads)
        journals = pa.Table.from_pylist(page)
        table = score_table(journals, _prepared(settings, page), model.version.digest, scorer)
        write_scores(settings, model, table)
        total += RescoreResult(table.num_rows, len(page) - table.num_rows)
        if progress is not None:
            progress(len(page))
    return total


def _pages(engine: sa.Engine, arguments: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    after = ""
    while True:
        with engine.connect() as connection:
            statement = sa.text(sql("list_unscored_journals"))
            rows = connection.execute(statement, arguments | {"after": after}).mappings().all()
        if not rows:
            return
        yield [dict(row) for row in rows]
        after = rows[-1]["journal_id"]


def _prepared(settings: Settings, page: list[dict[str, Any]]) -> Iterator[tuple[str, npt.NDArray[np.int16]]]:
    """Yield the prepared audio of journals, as the measure stage makes it, for those whose recording is there."""
    from affect_pipeline.acoustics.preprocessing import prepare, to_int16
    from affect_pipeline.journals.decode import DecodeLimits
    from affect_pipeline.journals.sandbox import decode_apart
    from affect_pipeline.journals.store import RawStore

    store = RawStore.of(settings)
    limits = DecodeLimits(max_bytes=settings.max_journal_bytes, max_duration_s=settings.max_journal_s)
    for row in page:
        if row["journal_id"] not in store:
            continue
        try:
            decoded = decode_apart(store.read(row["journal_id"]), limits)
        except JournalError:
            continue  # counted by the caller: it was decoded once, so a decoder or a limit has changed since
        samples = to_int16(prepare(decoded.samples, decoded.sample_rate_hz))
        if samples.size:
            yield row["journal_id"], samples


def history_start(connection: sa.Connection, champion: str) -> date | None:
    """Return the first day that the champion's baselines were made from; None in an empty warehouse."""
    start: date | None = connection.execute(
        sa.text(sql("select_history_start")), {"model_digest": champion}
    ).scalar_one()
    return start


def history_scored(connection: sa.Connection, digest: str, since: date) -> HistoryCoverage:
    """Return how many journals since a day there are, and how many of them a model has scored.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Connection to the warehouse.
    digest : str
        The model.
    since : date
        First local day that counts.
    """
    row = connection.execute(sa.text(sql("count_history")), {"model_digest": digest, "since": since}).one()
    return HistoryCoverage(row.n_journals, row.n_scored)


def unscored_with_audio(settings: Settings, digest: str, since: date) -> int:
    """Return how many journals since a day a model has not scored though their recording is there."""
    from affect_pipeline.journals.store import RawStore

    store = RawStore.of(settings)
    arguments = {"since": since, "until": END_OF_TIME, "shard": 0, "n_shards": 1, "page_size": 10_000}
    pages = _pages(connect(settings), arguments | {"model_digest": digest})
    return sum(row["journal_id"] in store for page in pages for row in page)


def compare(
    connection: sa.Connection, champion: str, challenger: str, since: date, until: date = END_OF_TIME
) -> Comparison:
    """Compare the scores that two models gave the same journals.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Connection to the warehouse.
    champion, challenger : str
        Digests of the models.
    since, until : date
        First and last local day.
    """
    arguments = {"champion": champion, "challenger": challenger, "since": since, "until": until}
    result = connection.execute(sa.text(sql("list_paired_scores")), arguments)
    frame = pd.DataFrame(result.fetchall(), columns=list(result.keys()))
    return Comparison(
        champion=champion,
        challenger=challenger,
        n_journals=len(frame),
        n_patients=int(frame["patient_key"].nunique()),
        agreements=tuple(_agreement(frame, score) for score in COMPARED) if len(frame) else (),
    )


def _agreement(frame: pd.DataFrame, score: str) -> Agreement:
    pair = frame[[f"champion_{score}", f"challenger_{score}"]].astype(float)
    within = pair - pair.groupby(frame["patient_key"]).transform("mean")
    difference = (pair.iloc[:, 1] - pair.iloc[:, 0]).to_numpy()
    mean = float(difference.mean())
    spread = 1.96 * float(difference.std(ddof=1)) if len(difference) > 1 else 0.0
    return Agreement(
        score=score,
        correlation=_correlation(pair),
        correlation_within=_correlation(within),
        mean_difference=mean,
        limits=(mean - spread, mean + spread),
        max_difference=float(np.abs(difference).max()),
    )


def _correlation(pair: pd.DataFrame) -> float:
    left, right = (pair.iloc[:, column].to_numpy() for column in (0, 1))
    if len(left) < 2 or np.ptp(left) < 1e-12 or np.ptp(right) < 1e-12:
        return float("nan")
    return float(np.corrcoef(left, right)[0, 1])

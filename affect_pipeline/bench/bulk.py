"""Bulk work of a large night: scores into the warehouse against psql's COPY, and the quality suite on many journals."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from affect_pipeline.bench.machine import seconds_of
from affect_pipeline.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

N_EXPECTATIONS = 8
FIRST_DAY = date(2026, 1, 1)
N_DAYS = 28
BROKEN_SHARE = 0.05


@dataclass(frozen=True)
class Row:
    """One piece of work.

    Parameters
    ----------
    what : str
        What was done.
    n_rows : int
        Rows or journals.
    seconds : float
        Time it took.
    times_reference : float or None
        That time against the reference's; none for what has no reference.
    target : float
        What `times_reference`, or else `seconds`, may be at most.
    """

    what: str
    n_rows: int
    seconds: float
    times_reference: float | None
    target: float | None


def made_up_scores(n: int, seed: int) -> pa.Table:
    """Return `n` rows of the table ``scores``, in no order, as a night's shards bring them."""
    import pyarrow as pa

    from affect_pipeline.model.score_rows import SCORES

    rng = np.random.default_rng(seed)
    ids = [hashlib.sha256(f"{seed}:{number}".encode()).hexdigest() for number in range(n)]
    patients = [journal_id[::-1][:32] for journal_id in ids]
    columns = {
        "local_day": [FIRST_DAY + timedelta(days=int(day)) for day in rng.integers(N_DAYS, size=n)],
        "journal_id": ids,
        "patient_key": patients,
        "model_digest": ["b" * 64] * n,
        "n_windows": rng.integers(1, 13, size=n).astype(np.int32),
        "depression_probability": rng.random(n),
        "valence": rng.uniform(-1, 1, n),
        "arousal": rng.uniform(-1, 1, n),
    }
    columns |= {name: rng.standard_normal(n) for name in SCORES.names if name not in columns}
    return pa.table({name: columns[name] for name in SCORES.names}, schema=SCORES)


def load_scores(settings: Settings, n: int, seed: int, workspace: Path, repeats: int = 3) -> list[Row]:
    """Load the same scores into the same empty table by psql's COPY and by the pipeline, turn by turn.

    Parameters
    ----------
    settings : Settings
        An installation with a migrated, empty warehouse.
    n : int
        Rows.
    seed : int
        Draws the rows.
    workspace : Path
        Where the CSV file for psql goes.
    repeats : int
        How often each is done; the quickest counts.
    """
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.load import ensure_months, upsert

    scores = made_up_scores(n, seed)
    csv = _write_csv(scores, workspace / "scores.csv")
    engine = connect(settings)
    with engine.begin() as connection:
        ensure_months(connection, "scores", scores.column("local_day"))

    def ours() -> None:
        with engine.begin() as connection:
            upsert(connection, "scores", scores)

    times: dict[str, list[float]] = {"copy": [], "ours": [], "again": []}
    works: dict[str, Callable[[], None]] = {"copy": lambda: _psql_copy(settings, csv), "ours": ours}
    for _ in range(repeats):
        for name, work in works.items():
            _empty(engine)
            times[name].append(seconds_of(work))
    times["again"].append(seconds_of(ours))
    copy = min(times["copy"])
    return [
        Row("COPY by psql into the table", n, copy, None, None),
        Row("the pipeline's load, rows are new", n, min(times["ours"]), min(times["ours"]) / copy, 1.5),
        Row("the pipeline's load, rows are there already", n, times["again"][0], times["again"][0] / copy, None),
    ]


def validate_journals(n: int, seed: int) -> Row:
    """Run the quality suite with eight expectations on `n` journals, and name the journals that break each."""
    from affect_pipeline.quality.contract import LINES
    from affect_pipeline.quality.suite import run_suite

    lines = LINES[:N_EXPECTATIONS]
    run_suite(_measured(200, seed), lines=lines)  # imports Great Expectations
    frame = _measured(n, seed)
    taken = seconds_of(lambda: run_suite(frame, lines=lines), repeats=3)
    return Row(f"Great Expectations, {len(lines)} expectations, reasons by journal", n, taken, None, 6.0)


def _measured(n: int, seed: int) -> pd.DataFrame:
    """Return measurements of which a few break each line of the contract."""
    import pandas as pd

    from affect_pipeline.quality.contract import LINES, metrics

    rng = np.random.default_rng(seed)
    bounds = {line.metric: line for line in LINES}
    frame = pd.DataFrame({"journal_id": [hashlib.sha256(f"{k}".encode()).hexdigest() for k in range(n)]})
    for name in metrics():
        bad = rng.random(n) < BROKEN_SHARE
        if name == "problem":
            frame[name] = pd.Series("decode_failed", index=frame.index).where(pd.Series(bad))
            continue
        line = bounds[name]
        low = -1e9 if line.minimum is None else line.minimum
        high = 1e9 if line.maximum is None else line.maximum
        inside = rng.uniform(low, high, n) if low > -1e9 and high < 1e9 else np.where(low > -1e9, 3 * abs(low) + 1, 0)
        outside = low - 1 if low > -1e9 else high + 1
        frame[name] = np.where(bad, outside, inside)
    return frame


def _write_csv(scores: pa.Table, path: Path) -> Path:
    import pyarrow.csv as pacsv

    pacsv.write_csv(scores, path, pacsv.WriteOptions(include_header=False, quoting_style="needed"))
    return path


def _psql_copy(settings: Settings, csv: Path) -> None:
    from affect_pipeline.warehouse.backup import client

    here = client(settings, "psql")
    command = [*here.command, "--quiet", "--command", f"\\copy affect.scores FROM '{csv}' (FORMAT csv)"]
    subprocess.run(command, env=here.environment, check=True)


def _empty(engine: sa.Engine) -> None:
    from affect_pipeline.warehouse.queries import sql

    with engine.begin() as connection:
        connection.execute(sa.text(sql("bench/empty_scores")))

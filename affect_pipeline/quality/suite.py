"""The contract as a Great Expectations suite: run on a night, with the journals that broke each line.

One run of a checkpoint gives both the identifiers of the rows that failed and the Data Docs. Its
context lives in a temporary folder: nothing of Great Expectations outlives the run but the pages.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affect_pipeline.quality.contract import LINES, NO_PROBLEM, Expected, metrics, suite_version
from affect_pipeline.quality.pages import publish_pages

if TYPE_CHECKING:
    import pandas as pd

ROW_KEY = "journal_id"
SHOWN_VALUES = 20


@dataclass(frozen=True)
class SuiteResult:
    """Which journals broke which line of the contract.

    Parameters
    ----------
    version : str
        Version of the suite.
    broken_by : Mapping[str, frozenset of str]
        For each expectation, the journals that broke it.
    """

    version: str
    broken_by: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class DocsTarget:
    """Where Data Docs go, and what they are about.

    Parameters
    ----------
    folder : Path
        Folder of the pages; an older one is replaced.
    run_name : str
        Name of the run, shown on the pages.
    day : date
        Day of the run, shown on the pages.
    """

    folder: Path
    run_name: str
    day: date


def run_suite(frame: pd.DataFrame, docs: DocsTarget | None = None, lines: tuple[Expected, ...] = LINES) -> SuiteResult:
    """Validate measurements against the contract.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a journal: ``journal_id`` and the metrics of the contract. A value that is not
        defined (NaN) breaks no line; a journal without values has a ``problem``, which does.
    docs : DocsTarget, optional
        Where to put Data Docs; none are made if it is left out.
    lines : tuple of Expected
        The contract.

    Returns
    -------
    SuiteResult
    """
    if frame.empty:
        return SuiteResult(suite_version(lines), {line.name: frozenset() for line in lines})
    judged = frame[[ROW_KEY, *metrics(lines)]]
    with tempfile.TemporaryDirectory(prefix="affect-gx-") as folder:
        checkpoint = _checkpoint(Path(folder), lines, with_docs=docs is not None)
        result = checkpoint.run(batch_parameters={"dataframe": judged}, run_id=_run_id(docs))
        if docs is not None:
            publish_pages(Path(folder) / "gx" / "uncommitted" / "data_docs" / "local_site", docs.folder)
    (validation,) = result.run_results.values()
    return SuiteResult(suite_version(lines), dict(_broken(validation)))


def _checkpoint(folder: Path, lines: tuple[Expected, ...], with_docs: bool) -> Any:
    with _quietly():
        from great_expectations.data_context.types.base import ProgressBarsConfig

        gx: Any = import_module("great_expectations")
        actions: Any = import_module("great_expectations.checkpoint.actions")
        context = gx.get_context(mode="file", project_root_dir=folder)
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_pandas("night")
        batch = source.add_dataframe_asset("journals").add_batch_definition_whole_dataframe("all")
        name = f"audio quality {suite_version(lines)}"
        suite = context.suites.add(gx.ExpectationSuite(name, expectations=[_expectation(line) for line in lines]))
        validation = context.validation_definitions.add(gx.ValidationDefinition(name="night", data=batch, suite=suite))
        return context.checkpoints.add(
            gx.Checkpoint(
                name="night",
                validation_definitions=[validation],
                actions=[actions.UpdateDataDocsAction(name="docs")] if with_docs else [],
                result_format={
                    "result_format": "COMPLETE",
                    "unexpected_index_column_names": [ROW_KEY],
                    "partial_unexpected_count": SHOWN_VALUES,
                    "return_unexpected_index_query": False,
                },
            )
        )


def _expectation(line: Expected) -> Any:
    gxe: Any = import_module("great_expectations.expectations")
    shared: dict[str, Any] = {
        "column": line.metric,
        "meta": {"name": line.name, "level": line.level},
        "notes": f"**{line.name}** ({line.level}): {line.why}",
        "severity": "critical" if line.level == "fail" else "warning",
    }
    if line.name == NO_PROBLEM:
        return gxe.ExpectColumnValuesToBeNull(**shared)
    return gxe.ExpectColumnValuesToBeBetween(min_value=line.minimum, max_value=line.maximum, **shared)


def _run_id(docs: DocsTarget | None) -> Any:
    from great_expectations.core.run_identifier import RunIdentifier

    day = docs.day if docs else date(2000, 1, 1)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return RunIdentifier(run_name=docs.run_name if docs else "unnamed", run_time=moment)


def _broken(validation: Any) -> Iterator[tuple[str, frozenset[str]]]:
    for result in validation.results:
        if result.exception_info and result.exception_info.get("raised_exception"):
            raise RuntimeError(f"an expectation could not be evaluated: {result.exception_info['exception_message']}")
        rows = result.result.get("unexpected_index_list") or []
        yield result.expectation_config.meta["name"], frozenset(row[ROW_KEY] for row in rows)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep Great Expectations from calling home: it asks the environment once, when it starts."""
    before = os.environ.get("GX_ANALYTICS_ENABLED")
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ["GX_ANALYTICS_ENABLED"]
        else:
            os.environ["GX_ANALYTICS_ENABLED"] = before

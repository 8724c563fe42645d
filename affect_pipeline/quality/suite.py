"""The contract as a Great Expectations suite: run on a night, with the journals that broke each line.

Contexts are ephemeral or live in a temporary folder: nothing of Great Expectations outlives a run but
the Data Docs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
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
SMALL_NIGHT = 500
"""Up to so many journals one validation serves verdicts and Data Docs: looking up names costs less than another."""

MAX_NAMED_ROWS = 2_000
"""With more broken rows than this, Data Docs count and show examples, but do not name them all."""


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
    broken: dict[str, frozenset[str]] = {line.name: frozenset() for line in lines}
    if not frame.empty:
        judged = frame[[ROW_KEY, *metrics(lines)]].reset_index(drop=True)
        if docs is not None and len(judged) <= SMALL_NIGHT:
            broken |= _write_docs(judged, docs, lines, with_ids=True)
        else:
            broken |= _validate(judged, lines)
            if docs is not None:
                _write_docs(judged, docs, lines, with_ids=sum(map(len, broken.values())) <= MAX_NAMED_ROWS)
    return SuiteResult(suite_version(lines), broken)


def _validate(judged: pd.DataFrame, lines: tuple[Expected, ...]) -> dict[str, frozenset[str]]:
    """Return the journals that broke each line.

    Great Expectations is asked for the positions of the rows: it looks up every other column row by
    row, which takes minutes in a night that is all bad. A batch validates without storing its result.
    """
    context = _context(mode="ephemeral")
    batch = _batch_definition(context).get_batch(batch_parameters={"dataframe": judged})
    ids = judged[ROW_KEY].to_numpy()
    rows = _unexpected(batch.validate(_suite(lines), result_format={"result_format": "COMPLETE"}))
    return {name: frozenset(ids[positions].tolist()) for name, positions in rows.items()}


def _unexpected(validation: Any) -> dict[str, list[Any]]:
    """Return what broke each line: positions of rows, or the values of the columns that were asked for."""
    found = {}
    for result in validation.results:
        if result.exception_info and result.exception_info.get("raised_exception"):
            raise RuntimeError(f"an expectation could not be evaluated: {result.exception_info['exception_message']}")
        found[result.expectation_config.meta["name"]] = result.result.get("unexpected_index_list") or []
    return found


def _write_docs(
    judged: pd.DataFrame, docs: DocsTarget, lines: tuple[Expected, ...], with_ids: bool
) -> dict[str, frozenset[str]]:
    """Build Data Docs, which take a context on disk and a stored result; return the journals that they name."""
    actions: Any = import_module("great_expectations.checkpoint.actions")
    run_identifier: Any = import_module("great_expectations.core.run_identifier")
    gx: Any = import_module("great_expectations")
    moment = datetime(docs.day.year, docs.day.month, docs.day.day, tzinfo=UTC)
    shown: dict[str, Any] = {"result_format": "COMPLETE" if with_ids else "SUMMARY"}
    shown |= {"partial_unexpected_count": SHOWN_VALUES, "return_unexpected_index_query": False}
    shown |= {"unexpected_index_column_names": [ROW_KEY]} if with_ids else {}
    with tempfile.TemporaryDirectory(prefix="affect-gx-") as folder:
        context = _context(mode="file", project_root_dir=folder)
        suite = context.suites.add(_suite(lines))
        definition = gx.ValidationDefinition(name="night", data=_batch_definition(context), suite=suite)
        checkpoint = gx.Checkpoint(
            name="night",
            validation_definitions=[context.validation_definitions.add(definition)],
            actions=[actions.UpdateDataDocsAction(name="docs")],
            result_format=shown,
        )
        run = context.checkpoints.add(checkpoint).run(
            batch_parameters={"dataframe": judged},
            run_id=run_identifier.RunIdentifier(run_name=docs.run_name, run_time=moment),
        )
        publish_pages(Path(folder) / "gx" / "uncommitted" / "data_docs" / "local_site", docs.folder)
    if not with_ids:
        return {}
    [validation] = run.run_results.values()
    rows = _unexpected(validation)
    return {name: frozenset(row[ROW_KEY] for row in broken) for name, broken in rows.items()}


def _context(**how: Any) -> Any:
    """Return a context that neither draws progress bars nor calls home (it asks when it starts)."""
    before = os.environ.get("GX_ANALYTICS_ENABLED")
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    try:
        gx: Any = import_module("great_expectations")
        types: Any = import_module("great_expectations.data_context.types.base")
        context = gx.get_context(**how)
        context.variables.progress_bars = types.ProgressBarsConfig(globally=False)
        return context
    finally:
        if before is None:
            del os.environ["GX_ANALYTICS_ENABLED"]
        else:
            os.environ["GX_ANALYTICS_ENABLED"] = before


def _batch_definition(context: Any) -> Any:
    source = context.data_sources.add_pandas("night")
    return source.add_dataframe_asset("journals").add_batch_definition_whole_dataframe("all")


def _suite(lines: tuple[Expected, ...]) -> Any:
    gx: Any = import_module("great_expectations")
    name = f"audio quality {suite_version(lines)}"
    return gx.ExpectationSuite(name, expectations=[_expectation(line) for line in lines])


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

"""The comparison of a night as a page to look at, made by Evidently.

Evidently's own tests are for independent rows. It is given one value a patient, and the p values and verdicts that
`compare` found: the page and the warehouse never say different things. Nothing on it names a patient.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time
from importlib import import_module
from pathlib import Path
from typing import Any

from affect_pipeline.files import atomic_path
from affect_pipeline.population.check import Drawn, PopulationCheck
from affect_pipeline.population.measures import BY_NAME, slice_in_words

METHOD = "affect_paired_patients"

QUIET = {"DO_NOT_TRACK": "1", "ITERATIVE_DO_NOT_TRACK": "1"}
"""Evidently brings a library that reports its use: it stays silent, and is not even imported by what is used here."""


def write_report(check: PopulationCheck, path: Path) -> bool:
    """Write the report of a night; where nothing could be compared, there is none.

    Parameters
    ----------
    check : PopulationCheck
        What was found.
    path : Path
        The HTML file; an older one is replaced, or removed.

    Returns
    -------
    bool
        Whether there is a report.
    """
    if not check.drawn:
        path.unlink(missing_ok=True)
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    with evidently_in_silence() as evidently, atomic_path(path) as temporary:
        _snapshot(evidently, check).save_html(str(temporary))
    return True


def column_name(drawn: Drawn) -> str:
    """Return the heading of one comparison, for instance ``mean energy (dB), device phone-b``."""
    paired = drawn.comparison.paired
    measure = BY_NAME[paired.measure]
    unit = f" ({measure.unit})" if measure.unit else ""
    return f"{measure.words}{unit}, {slice_in_words(paired.dimension, paired.part)}"


def _snapshot(evidently: Any, check: PopulationCheck) -> Any:
    import pandas as pd

    columns = {column_name(one): one for one in check.drawn}
    _register_test(columns)
    current, reference = (
        pd.DataFrame({name: pd.Series(getattr(one, window)) for name, one in columns.items()})
        for window in ("current", "reference")
    )
    definition = evidently.DataDefinition(numerical_columns=list(columns))
    drift = import_module("evidently.metrics").ValueDrift
    metrics = [drift(column=name, method=METHOD, threshold=one.comparison.threshold) for name, one in columns.items()]
    return evidently.Report(metrics, include_tests=True).run(
        evidently.Dataset.from_pandas(current, definition),
        evidently.Dataset.from_pandas(reference, definition),
        timestamp=datetime.combine(check.night, time(), UTC),
        name=f"Recordings as a whole, {check.night}",
    )


def _register_test(columns: dict[str, Drawn]) -> None:
    """Have Evidently take our verdicts: it passes columns by name."""
    stattests: Any = import_module("evidently.legacy.calculations.stattests")
    core: Any = import_module("evidently.legacy.core")

    def verdict(_reference: Any, current: Any, _kind: Any, _threshold: float) -> tuple[float, bool]:
        found = columns[str(current.name)].comparison
        assert found.p_value is not None
        return found.p_value, found.state == "shifted"

    test = stattests.StatTest(
        name=METHOD,
        display_name="t test of one difference a patient, Holm",
        allowed_feature_types=[core.ColumnType.Numerical],
    )
    stattests.register_stattest(test, verdict)


@contextmanager
def evidently_in_silence() -> Iterator[Any]:
    """Import Evidently, told not to report anything and kept from warning about its own insides."""
    before = {name: os.environ.get(name) for name in QUIET}
    os.environ.update(QUIET)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _lend_pandas_what_it_lost()
            yield import_module("evidently")
    finally:
        _restore(before)


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


def _lend_pandas_what_it_lost() -> None:
    """Put back a function of pandas 2 that Evidently 0.7 imports, and that nothing here calls."""
    common: Any = import_module("pandas.core.dtypes.common")
    if not hasattr(common, "infer_dtype_from_object"):
        common.infer_dtype_from_object = import_module("pandas").api.types.pandas_dtype

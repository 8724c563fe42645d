"""Which nights a run works on, and what its tables are called."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from affect_pipeline import errors
from affect_pipeline.errors import SettingsError
from affect_pipeline.nights import Nights
from affect_pipeline.orchestration import HOPELESS_ERRORS, night_of_run, nights_of_backfill, table_uri
from affect_pipeline.settings import Settings

NIGHT = Nights.one(date(2026, 1, 5))
RUN_AFTER = datetime(2026, 3, 1, 4, 30, tzinfo=UTC)


def test_the_logical_date_is_the_night() -> None:
    assert night_of_run(datetime(2026, 1, 5, tzinfo=UTC), RUN_AFTER) == NIGHT


def test_the_night_is_a_day_of_utc_wherever_the_logical_date_was_written() -> None:
    kiribati = timezone(timedelta(hours=14))

    assert night_of_run(datetime(2026, 1, 6, 13, 0, tzinfo=kiribati), RUN_AFTER) == NIGHT


def test_the_parameter_comes_before_the_logical_date() -> None:
    assert night_of_run(datetime(2026, 2, 2, tzinfo=UTC), RUN_AFTER, "2026-01-05") == NIGHT


def test_a_manual_run_without_either_takes_the_last_night_that_was_over() -> None:
    assert night_of_run(None, RUN_AFTER) == Nights.one(date(2026, 2, 28))
    assert night_of_run(None, RUN_AFTER, "") == Nights.one(date(2026, 2, 28))


@given(st.integers(min_value=10**5, max_value=10**10))
def test_a_run_without_logical_date_never_takes_a_night_that_is_not_over(seconds_since_1970: int) -> None:
    run_after = datetime.fromtimestamp(seconds_since_1970, UTC)

    (night,) = night_of_run(None, run_after)

    assert datetime.combine(night + timedelta(days=1), datetime.min.time(), UTC) <= run_after


def test_a_backfill_covers_both_ends() -> None:
    assert nights_of_backfill("2026-01-05", "2026-01-07").name == "2026-01-05_2026-01-07"


@pytest.mark.parametrize(("first", "last"), [("2026-01-07", "2026-01-05"), ("yesterday", "2026-01-05"), ("", "")])
def test_nights_that_make_no_sense_are_refused_with_the_parameter_named(first: str, last: str) -> None:
    with pytest.raises(SettingsError, match=r"first_night|last_night"):
        nights_of_backfill(first, last)


def test_a_parameter_that_is_not_a_date_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"parameter night is 'tonight'; write a date like 2026-01-05"):
        night_of_run(None, RUN_AFTER, "tonight")


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("", "postgres://localhost:5432/affect/affect/scores"),
        ("postgresql://ann:pw@db.example.org:6543/clinic", "postgres://db.example.org:6543/clinic/affect/scores"),
        ("postgresql+psycopg://ann:pw@db.example.org/clinic?sslmode=require", "postgres://db.example.org:5432/clinic/affect/scores"),
        ("postgresql://postgres:@/affect?host=/a%20b/postgres", "postgres://localhost:5432/affect/affect/scores"),
    ],
)  # fmt: skip
def test_tables_are_named_by_host_database_and_schema_without_credentials(url: str, uri: str) -> None:
    assert table_uri(Settings(warehouse_url=url), "scores") == uri


def test_hopeless_errors_are_errors_of_ours_and_none_of_them_is_about_something_out_of_reach() -> None:
    for name in HOPELESS_ERRORS:
        kind = getattr(errors, name.rpartition(".")[2])
        assert issubclass(kind, errors.AffectError)
        assert not issubclass(errors.UnavailableError, kind)
        assert not issubclass(kind, errors.UnavailableError)

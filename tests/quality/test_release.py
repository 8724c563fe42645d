from __future__ import annotations

import io
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.errors import QuarantineError
from affect_pipeline.journals.identity import refused_id
from affect_pipeline.journals.store import RawStore
from affect_pipeline.quality.release import find_journal, list_quarantine, release
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.load import upsert

NIGHT = date(2026, 1, 5)
REFUSED = refused_id("d" * 32)


@pytest.fixture
def store(warehouse_settings: Settings) -> RawStore:
    return RawStore(warehouse_settings.raw_dir)


@pytest.fixture
def noisy(warehouse: Engine, store: RawStore) -> str:
    """Return the journal_id of a recording in quarantine; one that was never taken in is there too."""
    import pandas as pd

    journal_id = store.put(io.BytesIO(b"some audio"), 100).journal_id
    rows = [
        {"journal_id": journal_id, "delivery_key": "a" * 32, "failed": ["snr_at_least_12_db"], "problem": None},
        {"journal_id": REFUSED, "delivery_key": "d" * 32, "failed": ["too_large"], "problem": "too_large"},
    ]
    shared = {"patient_key": "0" * 32, "night": NIGHT, "local_day": NIGHT, "status": "quarantined", "warned": []}
    empty = dict.fromkeys(
        ["recorded_at", "time_zone", "device", "prompt", "language", "clinic", "n_bytes", "audio_format"]
    )
    with warehouse.begin() as connection:
        upsert(connection, "journals", pd.DataFrame([empty | shared | row for row in rows]))
    return journal_id


def test_what_is_in_quarantine_is_listed_with_its_reasons(warehouse: Engine, noisy: str) -> None:
    assert {row.journal_id: row.failed for row in list_quarantine(warehouse)} == {
        noisy: ("snr_at_least_12_db",),
        REFUSED: ("too_large",),
    }
    assert list_quarantine(warehouse, date(2026, 2, 1), date(2026, 2, 2)) == []


def test_a_release_keeps_who_and_why(warehouse: Engine, store: RawStore, noisy: str) -> None:
    released = release(warehouse, store, noisy[:10], "anna", " I listened to it ")
    assert (released.journal_id, released.night, released.released_by) == (noisy, NIGHT, "anna")
    with warehouse.connect() as connection:
        rows = connection.execute(sa.text("SELECT journal_id, actor, reason FROM quarantine_releases")).all()
    assert [tuple(row) for row in rows] == [(noisy, "anna", "I listened to it")]
    assert {row.released_by for row in list_quarantine(warehouse)} == {"anna", None}


@pytest.mark.parametrize(
    ("prefix", "reason", "complaint"),
    [
        ("ffffffff", "fine", "no journal begins"),
        ("abc", "fine", "at least 8 characters"),
        (REFUSED, "fine", "no audio to release"),
    ],
)
def test_what_cannot_be_released_says_why(
    warehouse: Engine, store: RawStore, noisy: str, prefix: str, reason: str, complaint: str
) -> None:
    with pytest.raises(QuarantineError, match=complaint):
        release(warehouse, store, prefix, "anna", reason)


def test_a_release_needs_a_reason_and_a_journal_in_quarantine(warehouse: Engine, store: RawStore, noisy: str) -> None:
    with pytest.raises(QuarantineError, match="needs a reason"):
        release(warehouse, store, noisy, "anna", "  ")
    with warehouse.begin() as connection:
        connection.execute(sa.text("UPDATE journals SET status = 'accepted'"))
    with pytest.raises(QuarantineError, match="is accepted, not in quarantine"):
        release(warehouse, store, noisy, "anna", "fine")
    assert find_journal(warehouse, noisy)["status"] == "accepted"


def test_the_command_line_lists_shows_and_releases(
    warehouse_settings: Settings, noisy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affect_pipeline.settings import get_settings

    monkeypatch.setenv("AFFECT_HOME", str(warehouse_settings.home))
    monkeypatch.setenv("AFFECT_WAREHOUSE_URL", warehouse_settings.warehouse_url)
    get_settings.cache_clear()
    try:
        runner, affect = CliRunner(), build()
        assert noisy[:12] in runner.invoke(affect, ["quarantine", "list", "--nights", "2026-01-05"]).output
        assert "snr_at_least_12_db" in runner.invoke(affect, ["quarantine", "show", noisy[:8]]).output
        done = runner.invoke(affect, ["quarantine", "release", noisy[:8], "--reason", "fine", "--actor", "anna"])
        assert "Run night 2026-01-05 again" in done.output
        assert "anna" in runner.invoke(affect, ["quarantine", "list"]).output
    finally:
        get_settings.cache_clear()

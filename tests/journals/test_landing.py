from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from affect_pipeline.errors import JournalError, LandingZoneUnavailable
from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.journals.intake import Intake
from affect_pipeline.journals.landing import LandingZone
from affect_pipeline.journals.store import RawStore
from tests.audio import sidecar

NIGHT = date(2026, 1, 5)


class CutOffFileSystem(MemoryFileSystem):
    """A remote landing zone that lists its files and is gone when they are read."""

    protocol = "cutoff"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    is_gone = False

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        if self.is_gone:
            raise ConnectionError("password=secret host=internal")
        return super().ls(path, detail=detail, **kwargs)

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        if mode == "rb":
            CutOffFileSystem.is_gone = True
            raise ConnectionError("connection reset")
        return super()._open(path, mode, **kwargs)


@pytest.fixture
def bucket() -> Iterator[str]:
    """Return the URL of an object store that is not on the local disk, with one journal in it."""
    url = f"memory://{uuid.uuid4().hex}"
    with fsspec.open(f"{url}/2026-01-05/p1/a.wav", "wb") as file:
        file.write(b"RIFF....WAVEfmt ")
    with fsspec.open(f"{url}/2026-01-05/p1/a.json", "wb") as file:
        file.write(sidecar())
    yield url
    fsspec.filesystem("memory").rm(url.removeprefix("memory:/"), recursive=True)


def test_any_file_system_of_fsspec_is_a_landing_zone(bucket: str, tmp_path: Path) -> None:
    zone = LandingZone(bucket)
    (delivery,) = zone.deliveries(NIGHT)
    assert (delivery.source_id, delivery.relative_path) == ("p1", "2026-01-05/p1/a.wav")
    row = Intake(zone, RawStore(tmp_path), Pseudonyms(b"k" * 32), 1000).take_in(delivery).row
    assert (row.problem, row.audio_format, row.device, row.n_bytes) == (None, "wav", "Pixel 8", 16)
    assert zone.deliveries(date(2026, 1, 6)) == []


@pytest.mark.parametrize("url", ["memory://nothing-here", "nosuchprotocol://bucket", "/nonexistent/landing"])
def test_what_cannot_be_reached_names_its_setting(url: str) -> None:
    with pytest.raises(LandingZoneUnavailable, match="AFFECT_LANDING_URL"):
        LandingZone(url)


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(LandingZoneUnavailable) as caught:
        LandingZone("nosuchprotocol://anna:hunter2@host/bucket")
    assert "hunter2" not in str(caught.value)


def test_a_landing_zone_that_goes_away_while_it_is_read_stops_the_night(tmp_path: Path) -> None:
    fsspec.register_implementation("cutoff", CutOffFileSystem, clobber=True)
    CutOffFileSystem.is_gone = False
    with fsspec.open("cutoff://zone/2026-01-05/p1/a.wav", "wb") as file:
        file.write(b"x")
    zone = LandingZone("cutoff://zone")
    (delivery,) = zone.deliveries(NIGHT)
    with pytest.raises(LandingZoneUnavailable) as caught:
        Intake(zone, RawStore(tmp_path), Pseudonyms(b"k" * 32), 1000).take_in(delivery)
    assert "secret" not in str(caught.value)


def test_a_delivery_does_not_show_names_in_logs(bucket: str) -> None:
    (delivery,) = LandingZone(bucket).deliveries(NIGHT)
    assert "p1" not in repr(delivery)
    assert "a.wav" not in repr(delivery)


def test_a_file_that_went_away_after_it_was_listed_is_its_own_problem(bucket: str) -> None:
    zone = LandingZone(bucket)
    with pytest.raises(JournalError) as caught:
        zone.open(f"{bucket.removeprefix('memory:/')}/2026-01-05/p1/gone.wav")
    assert caught.value.reason == "unreadable"
    assert "gone" not in caught.value.detail


def test_a_full_disk_is_no_problem_of_the_journal(bucket: str, tmp_path: Path) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("in the way")
    zone = LandingZone(bucket)
    (delivery,) = zone.deliveries(NIGHT)
    with pytest.raises(OSError, match="file"):
        Intake(zone, RawStore(not_a_folder), Pseudonyms(b"k" * 32), 1000).take_in(delivery)


def test_a_json_file_without_a_recording_is_listed_apart(bucket: str) -> None:
    with fsspec.open(f"{bucket}/2026-01-05/p2/phq.JSON", "wb") as file:
        file.write(b'{"questionnaire": {}}')
    found = LandingZone(bucket).arrivals(NIGHT)
    assert [delivery.relative_path for delivery in found.recordings] == ["2026-01-05/p1/a.wav"]
    assert [delivery.relative_path for delivery in found.loose] == ["2026-01-05/p2/phq.JSON"]
    assert found.recordings[0].sidecar_relative_path == "2026-01-05/p1/a.json"
    assert found.loose[0].sidecar_relative_path == "2026-01-05/p2/phq.JSON"

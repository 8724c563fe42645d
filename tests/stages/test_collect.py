from __future__ import annotations

import hashlib
import os
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy import Engine

from affect_pipeline.errors import LandingZoneUnavailable, WarehouseUnavailable
from affect_pipeline.journals.manifest import ManifestRow, manifest_path, read_manifest, read_n_shards
from affect_pipeline.journals.store import RawStore
from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.stages.collect import CollectResult, collect
from affect_pipeline.warehouse.hash import content_hash
from tests.audio import deliver, encode, sidecar, speech

NIGHT = Nights.parse("2026-01-05")
NEXT_NIGHT = Nights.parse("2026-01-06")
GOOD = encode(speech()[:4000])


def other(seed: int) -> bytes:
    return encode(speech()[seed : seed + 4000])


def landing(settings: Settings) -> Path:
    root = Path(settings.landing)
    root.mkdir(parents=True, exist_ok=True)
    return root


def manifest(settings: Settings, nights: Nights = NIGHT) -> list[ManifestRow]:
    return read_manifest(manifest_path(settings, nights))


def only_row(settings: Settings) -> ManifestRow:
    (row,) = manifest(settings)
    return row


def select(engine: Engine, statement: str) -> list[sa.Row[tuple[object, ...]]]:
    with engine.connect() as connection:
        return list(connection.execute(sa.text(statement)).all())


def test_a_journal_is_stored_by_its_content_and_described_without_its_names(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    deliver(landing(warehouse_settings), "2026-01-05", "Erika Mustermann", "morning talk.wav", GOOD, sidecar())
    result = collect(warehouse_settings, NIGHT)
    assert result == CollectResult(n_found=1, n_journals=1, n_duplicates=0, n_refused=0, shards=(0,))
    row = only_row(warehouse_settings)
    assert row.journal_id == hashlib.sha256(GOOD).hexdigest()
    assert RawStore(warehouse_settings.raw_dir).path(row.journal_id).read_bytes() == GOOD
    assert (row.problem, row.audio_format, row.local_day, row.consent) == (None, "wav", date(2026, 1, 5), True)
    assert select(warehouse, "SELECT journal_id, status, device FROM journals") == [
        (row.journal_id, "pending", "Pixel 8")
    ]
    assert select(warehouse, "SELECT clinic, language FROM patients") == [("north", "de")]
    written = manifest_path(warehouse_settings, NIGHT).read_bytes()
    assert b"Mustermann" not in written
    assert b"morning" not in written


def test_a_night_without_a_folder_has_no_journals(warehouse_settings: Settings, warehouse: Engine) -> None:
    landing(warehouse_settings)
    assert collect(warehouse_settings, NIGHT) == CollectResult(0, 0, 0, 0, ())
    assert manifest(warehouse_settings) == []


def test_a_landing_zone_that_is_not_there_is_an_error_that_names_its_setting(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    with pytest.raises(LandingZoneUnavailable, match="AFFECT_LANDING_URL"):
        collect(warehouse_settings, NIGHT)
    assert not manifest_path(warehouse_settings, NIGHT).exists()


def test_without_a_warehouse_nothing_is_copied(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, warehouse_url="postgresql://nobody@127.0.0.1:1/affect")
    deliver(landing(settings), "2026-01-05", "p1", "a.wav", GOOD, sidecar())
    with pytest.raises(WarehouseUnavailable, match="AFFECT_WAREHOUSE_URL"):
        collect(settings, NIGHT)
    assert not settings.raw_dir.exists()
    assert not settings.work_dir.exists()


@pytest.mark.parametrize(
    ("audio", "description", "problem", "is_kept"),
    [
        (b"", sidecar(), "empty_file", False),
        (b"Dear diary, this is no audio." * 9, sidecar(), "not_audio", True),
        (GOOD, None, "sidecar_missing", True),
        (GOOD, b"{not json", "sidecar_malformed", True),
        (GOOD, b"[1, 2]", "sidecar_malformed", True),
        (GOOD, b"[" * 60_000, "sidecar_malformed", True),
        (GOOD, b'{"recorded_at": ' + b"9" * 50_000 + b"}", "sidecar_malformed", True),
        (GOOD, b'{"recorded_at": NaN}', "sidecar_malformed", True),
        (GOOD, sidecar(recorded_at=None), "sidecar_malformed", True),
        (GOOD, sidecar(recorded_at="yesterday"), "sidecar_malformed", True),
        (GOOD, sidecar(consent="yes"), "sidecar_malformed", True),
        (GOOD, sidecar(consent=None), "consent_missing", True),
        (GOOD, sidecar(consent=False), "consent_withdrawn", False),
        (GOOD, sidecar(consent=False, recorded_at="?"), "consent_withdrawn", False),
        (GOOD, sidecar(recorded_at="2031-01-05T08:00:00+01:00"), "recorded_in_future", True),
        (GOOD, sidecar(recorded_at="0001-01-01T00:00:00+14:00"), "sidecar_malformed", True),
    ],
    ids=lambda value: value[:24].decode(errors="replace") if isinstance(value, bytes) else None,
)
def test_what_is_wrong_with_one_journal_is_its_own_and_the_night_goes_on(
    warehouse_settings: Settings,
    warehouse: Engine,
    audio: bytes,
    description: bytes | None,
    problem: str,
    is_kept: bool,
) -> None:
    root = landing(warehouse_settings)
    deliver(root, "2026-01-05", "p1", "bad.wav", audio, description)
    deliver(root, "2026-01-05", "p2", "good.wav", other(1), sidecar())
    result = collect(warehouse_settings, NIGHT)
    assert (result.n_journals, result.n_refused) == (2, 1)
    (bad,) = [row for row in manifest(warehouse_settings) if row.problem]
    assert bad.problem == problem
    assert bad.problem_detail
    assert bad.local_day == date(2026, 1, 5)
    assert (bad.journal_id in RawStore(warehouse_settings.raw_dir)) is bad.in_store is is_kept
    assert select(warehouse, "SELECT count(*) FROM journals") == [(2,)]
    assert select(warehouse, "SELECT DISTINCT problem FROM deliveries WHERE problem IS NOT NULL") == [(problem,)]


def test_a_file_that_is_too_large_is_not_copied(warehouse_settings: Settings, warehouse: Engine) -> None:
    small = warehouse_settings.model_copy(update={"max_journal_bytes": 1000})
    deliver(landing(small), "2026-01-05", "p1", "huge.wav", GOOD, sidecar())
    collect(small, NIGHT)
    row = only_row(small)
    assert (row.problem, row.in_store, row.n_bytes) == ("too_large", False, len(GOOD))
    assert [path for path in small.raw_dir.rglob("*") if path.is_file()] == []


def test_content_decides_what_a_mislabelled_file_is(warehouse_settings: Settings, warehouse: Engine) -> None:
    flac = encode(speech()[:4000], kind="FLAC")
    deliver(landing(warehouse_settings), "2026-01-05", "p1", "says-mp3.mp3", flac, sidecar())
    collect(warehouse_settings, NIGHT)
    assert (only_row(warehouse_settings).audio_format, only_row(warehouse_settings).problem) == ("flac", None)


@pytest.mark.parametrize(
    ("source_id", "name"),
    [
        ("patient 1", "my journal.wav"),
        ("Zoë-患者", "días ♥.wav"),
        ("..%2f..%2fetc", "a;rm -rf *.wav"),
        ("*?[x]", "{}::'\"\\.wav"),
        ("p", "no-extension"),
    ],
)
def test_odd_names_are_only_names(warehouse_settings: Settings, warehouse: Engine, source_id: str, name: str) -> None:
    deliver(landing(warehouse_settings), "2026-01-05", source_id, name, GOOD, sidecar())
    result = collect(warehouse_settings, NIGHT)
    assert (result.n_journals, result.n_refused) == (1, 0)


def test_a_link_that_leaves_the_landing_zone_is_refused(
    warehouse_settings: Settings, warehouse: Engine, tmp_path: Path
) -> None:
    root = landing(warehouse_settings)
    secret = tmp_path / "secret.wav"
    secret.write_bytes(GOOD)
    (root / "2026-01-05" / "p1").mkdir(parents=True)
    (root / "2026-01-05" / "p1" / "a.wav").symlink_to(secret)
    (root / "2026-01-05" / "p2").symlink_to(tmp_path)
    (root / "2026-01-05" / "p3").symlink_to(root)
    collect(warehouse_settings, NIGHT)
    row = only_row(warehouse_settings)
    assert (row.problem, row.in_store) == ("outside_landing_zone", False)


def test_a_file_that_cannot_be_read_is_refused_and_taken_in_once_it_can(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    path = deliver(landing(warehouse_settings), "2026-01-05", "p1", "a.wav", GOOD, sidecar())
    path.unlink()
    path.symlink_to(path.with_name("gone.wav"))
    collect(warehouse_settings, NIGHT)
    assert only_row(warehouse_settings).problem == "unreadable"
    path.unlink()
    path.write_bytes(GOOD)
    collect(warehouse_settings, NIGHT)
    expected = [(hashlib.sha256(GOOD).hexdigest(), None)]
    assert select(warehouse, "SELECT journal_id, problem FROM journals") == expected
    assert select(warehouse, "SELECT journal_id, problem FROM deliveries") == expected


def test_hidden_files_sidecars_without_audio_and_pipes_are_no_deliveries(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    root = landing(warehouse_settings)
    folder = deliver(root, "2026-01-05", "p1", ".upload.part", GOOD, None).parent
    (folder / "orphan.json").write_bytes(sidecar())
    (root / "2026-01-05" / "stray.wav").write_bytes(GOOD)
    os.mkfifo(folder / "pipe.wav")
    assert collect(warehouse_settings, NIGHT).n_found == 0


def test_the_same_recording_counts_once_within_a_night(warehouse_settings: Settings, warehouse: Engine) -> None:
    root = landing(warehouse_settings)
    deliver(root, "2026-01-05", "p1", "a.wav", GOOD, sidecar())
    deliver(root, "2026-01-05", "p1", "again.wav", GOOD, sidecar())
    result = collect(warehouse_settings, NIGHT)
    assert (result.n_found, result.n_journals, result.n_duplicates) == (2, 1, 1)
    assert select(warehouse, "SELECT count(*) FROM deliveries") == [(2,)]


@pytest.mark.parametrize("order", [(NIGHT, NEXT_NIGHT), (NEXT_NIGHT, NIGHT), (Nights(NIGHT.first, NEXT_NIGHT.last),)])
def test_a_recording_that_arrives_again_counts_for_its_first_night_in_whatever_order_nights_are_run(
    warehouse_settings: Settings, warehouse: Engine, order: tuple[Nights, ...]
) -> None:
    root = landing(warehouse_settings)
    deliver(root, "2026-01-05", "p1", "a.wav", GOOD, sidecar(device="old phone"))
    deliver(root, "2026-01-06", "p1", "a.wav", GOOD, sidecar(device="new phone"))
    deliver(root, "2026-01-06", "p1", "b.wav", other(1), sidecar())
    for nights in order:
        collect(warehouse_settings, nights)
    journal_id = hashlib.sha256(GOOD).hexdigest()
    counted = "SELECT night, device FROM journals WHERE journal_id = '" + journal_id + "'"
    assert select(warehouse, counted) == [(date(2026, 1, 5), "old phone")]
    collect(warehouse_settings, NEXT_NIGHT)
    duplicate = [row for row in manifest(warehouse_settings, NEXT_NIGHT) if row.journal_id == journal_id]
    assert [row.shard for row in duplicate] == [None]


def test_a_second_run_changes_no_byte_of_the_manifest_and_no_row(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    root = landing(warehouse_settings)
    for number in range(5):
        deliver(root, "2026-01-05", f"p{number}", "a.wav", other(number), sidecar() if number else None)
    collect(warehouse_settings, NIGHT)
    path = manifest_path(warehouse_settings, NIGHT)
    before, rows = path.read_bytes(), content_hash(warehouse)
    collect(warehouse_settings, NIGHT)
    assert path.read_bytes() == before
    assert content_hash(warehouse) == rows


def test_all_journals_of_a_patient_are_in_one_shard(warehouse_settings: Settings, warehouse: Engine) -> None:
    changes = {"journals_per_shard": 2, "max_shards": 4, "pseudonym_secret": SecretStr("the same in every run")}
    settings = warehouse_settings.model_copy(update=changes)
    for number in range(12):
        deliver(landing(settings), "2026-01-05", f"p{number % 6}", f"{number}.wav", other(number), sidecar())
    result = collect(settings, NIGHT)
    assert read_n_shards(manifest_path(settings, NIGHT)) == 4
    shards: dict[str, set[int | None]] = {}
    for row in manifest(settings):
        shards.setdefault(row.patient_key, set()).add(row.shard)
    assert len(shards) == 6
    assert all(len(of_patient) == 1 for of_patient in shards.values())
    assert set(result.shards) == set.union(*shards.values())
    assert len(result.shards) > 1


def test_withdrawn_consent_is_noted_for_the_patient(warehouse_settings: Settings, warehouse: Engine) -> None:
    deliver(landing(warehouse_settings), "2026-01-05", "p1", "a.wav", GOOD, sidecar(consent=False))
    collect(warehouse_settings, NIGHT)
    assert select(warehouse, "SELECT consent_withdrawn_night FROM patients") == [(date(2026, 1, 5),)]


def test_a_late_journal_counts_for_the_local_day_it_was_recorded(
    warehouse_settings: Settings, warehouse: Engine
) -> None:
    description = sidecar(recorded_at="2026-01-01T23:30:00+00:00", time_zone="Asia/Tokyo")
    deliver(landing(warehouse_settings), "2026-01-05", "p1", "a.wav", GOOD, description)
    collect(warehouse_settings, NIGHT)
    assert only_row(warehouse_settings).local_day == date(2026, 1, 2)

"""Exports are whole, the same for the same warehouse, readable for their owner only, and in the audit trail."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.interop.bulk import TYPES, export
from affect_pipeline.nights import Nights
from affect_pipeline.privacy.audit import list_events
from affect_pipeline.settings import Settings, get_settings
from tests.interop.conftest import NEXT
from tests.interop.fhir_server import _references
from tests.interop.test_resources import assert_r4
from tests.warehouse.rows import DAY, key

BOTH = Nights(DAY, NEXT)


def read(folder: Path) -> dict[str, list[dict[str, Any]]]:
    lines = {name: (folder / f"{name}.ndjson").read_text().splitlines() for name in TYPES}
    return {name: list(map(json.loads, found)) for name, found in lines.items()}


def test_every_file_holds_valid_resources_that_refer_to_one_another(clinic: Settings, tmp_path: Path) -> None:
    counts = export(clinic, tmp_path / "out", BOTH)
    found = read(tmp_path / "out")

    assert counts == {name: len(resources) for name, resources in found.items()}
    assert (counts["Observation"], counts["Patient"], counts["Device"], counts["Flag"]) == (4, 2, 1, 1)
    ids = {f"{name}/{resource['id']}" for name, resources in found.items() for resource in resources}
    for name, resources in found.items():
        for resource in resources:
            if name != "CodeSystem":
                assert_r4(resource, name)
            assert set(_references(resource)) <= ids
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {entry["type"]: entry["count"] for entry in manifest["output"]} == counts


def test_the_same_warehouse_gives_the_same_bytes_for_its_owner_only(clinic: Settings, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(clinic, tmp_path / name, BOTH)
    files = sorted((tmp_path / "one").iterdir())

    assert len(files) == len(TYPES) + 1
    for file in files:
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
        if file.suffix == ".ndjson":
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_export_may_be_of_one_patient_or_some_nights(clinic: Settings, tmp_path: Path) -> None:
    assert export(clinic, tmp_path, BOTH, key("ben"))["Observation"] == 2
    assert key("ada") not in "".join(file.read_text() for file in tmp_path.glob("*.ndjson"))
    assert export(clinic, tmp_path, Nights.one(NEXT))["Observation"] == 2


def test_who_exports_is_in_the_audit_trail(clinic: Settings, warehouse: sa.Engine, tmp_path: Path) -> None:
    export(clinic, tmp_path, BOTH, key("ben"), actor="max")
    (event,) = list_events(warehouse, patient_key=key("ben"), action="fhir_exported", limit=1)

    assert event["actor"] == "max"
    assert event["detail"]["resources"]["Observation"] == 2


def test_the_command_says_what_it_wrote_and_what_an_erasure_does_not_reach(
    clinic: Settings, warehouse: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFFECT_WAREHOUSE_URL", clinic.warehouse_url)
    monkeypatch.setenv("AFFECT_HOME", str(clinic.home))
    get_settings.cache_clear()
    try:
        arguments = ["interop", "fhir-export", "--out", str(tmp_path), "--from", "2026-01-05", "--to", "2026-01-06"]
        done = CliRunner().invoke(build(), arguments)
    finally:
        get_settings.cache_clear()

    assert done.exit_code == 0, done.exception
    assert "4 Observation" in done.stdout
    assert "An erasure does not reach these files" in done.stdout

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.errors import AffectError, DecodeError, LandingZoneUnavailable, SidecarError
from affect_pipeline.journals.decode import decode
from affect_pipeline.journals.sidecar import parse_sidecar
from affect_pipeline.simulate.cohort import CohortPlan, Fault, JournalPlan
from affect_pipeline.simulate.delivery import deliver, files_of, sidecar_of
from affect_pipeline.simulate.devices import DEVICES
from affect_pipeline.simulate.planning import plan_cohort
from affect_pipeline.simulate.truth import read_truth, truth_of, write_truth
from tests.simulate.voices import Tones

SOURCE = Tones()


@pytest.fixture(scope="module")
def plan() -> CohortPlan:
    return plan_cohort(SOURCE, n_patients=3, n_days=5, seed=2)


@pytest.fixture
def journal(plan: CohortPlan) -> JournalPlan:
    return replace(plan.journals[0], fault=None, again_on=None, device=DEVICES[0])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_runs_write_the_same_bytes(plan: CohortPlan, tmp_path: Path) -> None:
    done = [deliver(plan, SOURCE, str(tmp_path / name)) for name in ("one", "two")]
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two
    assert done[0] == done[1]
    assert (done[0].n_journals, done[0].n_files) == (len(plan.journals), len(one))
    assert done[0].n_bytes == sum(map(len, one.values()))


def test_a_journal_lies_under_its_night_and_patient_beside_its_sidecar(journal: JournalPlan) -> None:
    sidecar, recording = files_of(journal, SOURCE)
    assert recording.path == f"{journal.night}/{journal.patient.source_id}/{journal.stem}.flac"
    assert sidecar.path == f"{journal.night}/{journal.patient.source_id}/{journal.stem}.json"


def test_the_collector_understands_every_sidecar(plan: CohortPlan) -> None:
    assert plan.journals
    for journal in plan.journals:
        sidecar = parse_sidecar(sidecar_of(replace(journal, fault=None)) or b"", journal.patient.source_id)
        assert sidecar.recorded_at == journal.recorded_at
        assert sidecar.local_day == plan.date_of(journal.day)
        assert sidecar.consent is True
        assert (sidecar.clinic, sidecar.device) == (journal.patient.clinic, journal.device.name)
        assert (sidecar.sex, sidecar.language, sidecar.age_band) == ("f", "en", journal.patient.age_band)


def test_what_is_delivered_twice_is_the_same_file(journal: JournalPlan) -> None:
    files = list(files_of(replace(journal, again_on=date(2026, 1, 9)), SOURCE))
    assert len(files) == 4
    assert files[1].content == files[3].content
    assert files[3].path.startswith("2026-01-09/")


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_the_collector_can_decode_every_phones_files(journal: JournalPlan, device: object, tmp_path: Path) -> None:
    *_, recording = files_of(replace(journal, device=device), SOURCE)
    path = tmp_path / "recording"
    path.write_bytes(recording.content)
    assert 10 < decode(path).samples.size / decode(path).sample_rate_hz < 20


@pytest.mark.parametrize("fault", [Fault.EMPTY, Fault.NOT_AUDIO, Fault.TRUNCATED])
def test_a_broken_file_cannot_be_decoded(journal: JournalPlan, fault: Fault, tmp_path: Path) -> None:
    *_, recording = files_of(journal.with_fault(fault), SOURCE)
    path = tmp_path / "recording"
    path.write_bytes(recording.content)
    with pytest.raises(DecodeError):
        decode(path)


def test_a_sidecar_may_be_missing_or_malformed(journal: JournalPlan) -> None:
    assert [file.path[-5:] for file in files_of(journal.with_fault(Fault.SIDECAR_MISSING), SOURCE)] == [".flac"]
    with pytest.raises(SidecarError):
        parse_sidecar(sidecar_of(journal.with_fault(Fault.SIDECAR_MALFORMED)) or b"")


def test_a_landing_zone_that_cannot_be_written_is_named_by_its_setting(plan: CohortPlan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LandingZoneUnavailable, match="AFFECT_LANDING_URL"):
        deliver(plan, SOURCE, str(tmp_path / "file"))


def test_the_truth_is_read_back_as_it_was_written(plan: CohortPlan, tmp_path: Path) -> None:
    truth = truth_of(plan)
    write_truth(truth, tmp_path / "truth.json")
    assert read_truth(tmp_path / "truth.json") == truth
    assert sum(patient.n_journals for patient in truth.patients) == len(plan.journals)
    assert Counter(one.fault for one in truth.incidents) == Counter(one.fault for one in plan.journals if one.fault)


@pytest.mark.parametrize("content", [None, "[]", "{}", '{"seed": 1, "source": "x", "nights": "never"}'])
def test_what_is_not_a_truth_file_is_refused(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(AffectError, match=r"truth\.json (does not exist|is not a truth file)"):
        read_truth(path)


def test_the_command_writes_a_landing_zone_and_the_truth_outside_it(tmp_path: Path) -> None:
    landing, truth = tmp_path / "landing", tmp_path / "truth.json"
    options = ["--patients", "2", "--days", "3", "--seed", "4", "--landing", str(landing), "--truth", str(truth)]
    result = CliRunner().invoke(build(), ["simulate", *options, "--start", "2026-03-01"])
    assert result.exit_code == 0, result.output
    assert "journals by 2 patients, nights 2026-03-01 to 2026-03-03" in result.output
    patients = {row["source_id"] for row in json.loads(truth.read_text())["patients"]}
    assert {path.name for path in landing.glob("*/*")} <= patients
    assert {path.name for path in landing.iterdir()} <= {"2026-03-01", "2026-03-02", "2026-03-03"}
    assert list(landing.rglob("journal-*"))

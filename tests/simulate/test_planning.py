from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affect_pipeline.simulate.cohort import CohortPlan, Fault, Role
from affect_pipeline.simulate.moods import Mood
from affect_pipeline.simulate.planning import plan_cohort
from tests.simulate.voices import Tones


@pytest.fixture(scope="module")
def plan() -> CohortPlan:
    return plan_cohort(Tones(12), n_patients=12, n_days=50, seed=1)


def test_the_same_seed_gives_the_same_plan_and_another_seed_another() -> None:
    first, again, other = (plan_cohort(Tones(), n_patients=4, n_days=20, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.journals != other.journals


def test_half_change_a_sixth_record_too_little_and_the_rest_stay_as_they_are(plan: CohortPlan) -> None:
    assert Counter(patient.role for patient in plan.patients) == {Role.ONSET: 6, Role.LITTLE_DATA: 2, Role.STEADY: 4}


@settings(max_examples=20, deadline=None)
@given(st.integers(48, 90), st.integers(0, 1000))
def test_an_onset_leaves_a_baseline_before_it_and_time_after_it(n_days: int, seed: int) -> None:
    plan = plan_cohort(Tones(), n_patients=4, n_days=n_days, seed=seed)
    onsets = [patient.onset_day for patient in plan.patients if patient.role is Role.ONSET]
    assert len(onsets) == 2
    assert all(onset is not None and 28 <= onset <= n_days - 20 for onset in onsets)


def test_only_those_with_an_onset_grow_sad(plan: CohortPlan) -> None:
    def sad(role: Role, late: bool) -> float:
        said = [
            one.mood
            for journal in plan.journals
            if journal.patient.role is role and (journal.day >= 44 if late else journal.day < 28)
            for one in journal.utterances
        ]
        return said.count(Mood.SAD) / len(said)

    assert sad(Role.ONSET, late=False) < 0.15
    assert sad(Role.ONSET, late=True) > 0.75
    assert sad(Role.STEADY, late=True) < 0.15


def test_patients_with_too_little_data_have_fewer_days_than_a_baseline_needs(plan: CohortPlan) -> None:
    days = {who.index: {j.day for j in plan.journals if j.patient is who} for who in plan.patients}
    little = [len(days[who.index]) for who in plan.patients if who.role is Role.LITTLE_DATA]
    others = [len(days[who.index]) for who in plan.patients if who.role is not Role.LITTLE_DATA]
    assert max(little) < 14
    assert min(others) > 28
    assert max(others) < 50


def test_every_kind_of_fault_is_there_and_faults_are_few(plan: CohortPlan) -> None:
    faults = Counter(journal.fault for journal in plan.journals)
    assert set(faults) == {*Fault, None}
    assert faults[None] > 0.94 * len(plan.journals)


def test_some_journals_come_late_and_some_twice_but_none_outside_the_study(plan: CohortPlan) -> None:
    late = [journal for journal in plan.journals if journal.night > plan.date_of(journal.day) + timedelta(days=1)]
    again = [journal for journal in plan.journals if journal.again_on is not None]
    assert 0 < len(late) < 0.1 * len(plan.journals)
    assert 0 < len(again) < 0.05 * len(plan.journals)
    assert {journal.night for journal in plan.journals} <= set(plan.nights)
    assert {journal.again_on for journal in again} <= set(plan.nights)


def test_no_journal_arrives_before_it_is_recorded(plan: CohortPlan) -> None:
    assert all(journal.recorded_at.date() == plan.date_of(journal.day) for journal in plan.journals)
    assert all(journal.night >= plan.date_of(journal.day) - timedelta(days=1) for journal in plan.journals)


def test_patients_have_numbers_like_medical_records_and_voices_of_their_own(plan: CohortPlan) -> None:
    assert len({patient.source_id for patient in plan.patients}) == 12
    assert all(patient.source_id.startswith("MRN-") and patient.source_id[4:].isdigit() for patient in plan.patients)
    assert len({patient.speaker for patient in plan.patients}) == 12


def test_speakers_are_used_again_when_they_run_out() -> None:
    plan = plan_cohort(Tones(2), n_patients=7, n_days=3, seed=0)
    assert set(Counter(patient.speaker for patient in plan.patients).values()) == {3, 4}


def test_a_steady_patient_gets_a_new_phone(plan: CohortPlan) -> None:
    movers = [patient for patient in plan.patients if len(patient.devices) > 1]
    assert [patient.role for patient in movers] == [Role.STEADY]
    (_, before), (since, after) = movers[0].devices
    assert movers[0].device(since - 1) is before is not after is movers[0].device(since)


def test_onsets_go_to_speakers_who_recorded_sad_speech() -> None:
    source = Tones(3)
    able = [one for one in source.utterances if one.speaker == "tone_1" or one.mood is not Mood.SAD]
    source.utterances = tuple(able)
    plan = plan_cohort(source, n_patients=6, n_days=50, seed=3)
    onsets = [patient for patient in plan.patients if patient.role is Role.ONSET]
    assert len(onsets) == 3
    assert {patient.speaker for patient in onsets} == {"tone_1"}


def test_the_first_night_is_an_argument() -> None:
    plan = plan_cohort(Tones(), n_patients=1, n_days=3, seed=0, start=date(2027, 3, 27))
    assert (plan.nights.first, plan.nights.last) == (date(2027, 3, 27), date(2027, 3, 29))


@pytest.mark.parametrize(("n_patients", "n_days"), [(0, 5), (5, 0)])
def test_an_empty_cohort_is_refused(n_patients: int, n_days: int) -> None:
    with pytest.raises(ValueError, match="needs patients and days"):
        plan_cohort(Tones(), n_patients=n_patients, n_days=n_days, seed=0)

"""PHQ answers of simulated patients."""

from __future__ import annotations

import numpy as np
import pytest

from affect_pipeline.journals.questionnaires import Arrival, read_questionnaire
from affect_pipeline.simulate.cohort import CohortPlan, Role
from affect_pipeline.simulate.delivery import form_file, sidecar_of
from affect_pipeline.simulate.forms import DAYS_BETWEEN
from affect_pipeline.simulate.planning import plan_cohort
from tests.simulate.voices import Tones


@pytest.fixture(scope="module")
def plan() -> CohortPlan:
    return plan_cohort(Tones(), n_patients=24, n_days=84, seed=1)


def test_everybody_answers_about_every_two_weeks(plan: CohortPlan) -> None:
    due = {
        patient.index: len(range(patient.joined_day + patient.index % DAYS_BETWEEN, 84, DAYS_BETWEEN))
        for patient in plan.patients
    }
    found = dict.fromkeys(due, 0)
    for one in (*plan.select(lambda journal: journal.answers is not None), *plan.forms):
        found[one.patient.index] += 1

    assert found == due
    assert {form.patient.role for form in plan.forms} == {Role.LITTLE_DATA}


def test_answers_rise_after_an_onset_and_not_before(plan: CohortPlan) -> None:
    answered = plan.select(lambda journal: journal.answers is not None and journal.patient.onset_day is not None)
    after = [sum(one.answers or ()) for one in answered if one.day > (one.patient.onset_day or 0) + 21]
    before = [sum(one.answers or ()) for one in answered if one.day < (one.patient.onset_day or 0)]

    assert np.mean(before) < 5
    assert np.mean(after) > np.mean(before) + 7
    assert np.std(before) > 1
    assert any((one.answers or (0,))[-1] for one in answered)


def test_the_collector_understands_every_questionnaire(plan: CohortPlan) -> None:
    arrival = Arrival("d" * 32, "a" * 32, plan.nights.last, "file")
    contents = [form_file(form).content for form in plan.forms]
    contents += [sidecar_of(one) or b"{}" for one in plan.select(lambda one: one.answers is not None and not one.fault)]

    rows = [read_questionnaire(content, arrival) for content in contents]

    assert rows
    assert all(row is not None and row.problem is None for row in rows)

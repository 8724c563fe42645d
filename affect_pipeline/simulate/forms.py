"""PHQ answers of simulated patients: every two weeks, with a journal or alone.

The PHQ asks about the last two weeks, so what is answered follows the mean share of sad speech in them: it rises
after an onset, more slowly than the voice. Patients differ in where they stand, and the same state is answered
differently on another day. Nobody's answers were used: the numbers are chosen to give totals as clinics see them,
around 3 of 27 in those who are well and around 15 after an onset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from affect_pipeline.nights import Nights
from affect_pipeline.simulate.cohort import FormPlan, JournalPlan, PatientPlan, Role
from affect_pipeline.simulate.moods import FULL_SAD_SHARE, sad_share

DAYS_BETWEEN = 14
N_ITEMS = 9
WELL_LOGIT, SAD_LOGITS, PATIENT_SD, OCCASION_SD = -2.0, 2.3, 0.5, 0.2
"""Log odds of a point on an item: of who is well, added by an onset, between patients, between occasions."""

SELF_HARM_LOGITS = -2.6
"""Added to the ninth item, which is answered with more than 0 far more rarely."""


def with_forms(
    patients: Sequence[PatientPlan], journals: Sequence[JournalPlan], nights: Nights, seed: int
) -> tuple[list[JournalPlan], list[FormPlan]]:
    """Draw the answers of a cohort.

    Parameters
    ----------
    patients : sequence of PatientPlan
        The patients. Who hardly ever records answers alone.
    journals : sequence of JournalPlan
        Their journals.
    nights : Nights
        Nights of the study.
    seed : int
        The seed of the cohort.

    Returns
    -------
    journals : list of JournalPlan
        The same journals, some with answers.
    forms : list of FormPlan
        Answers that come alone.
    """
    answered: dict[int, tuple[int, ...]] = {}
    forms: list[FormPlan] = []
    for patient in patients:
        mine = [place for place, journal in enumerate(journals) if journal.patient.index == patient.index]
        trait = float(np.random.default_rng((seed, 5, patient.index)).normal(0, PATIENT_SD))
        for day in range(patient.joined_day + patient.index % DAYS_BETWEEN, len(nights), DAYS_BETWEEN):
            if patient.role is Role.LITTLE_DATA:
                forms.append(_alone(patient, day, nights, _items(patient, day, trait, seed)))
                continue
            due = (place for place in mine if day <= journals[place].day < day + DAYS_BETWEEN)
            if (place := next(due, None)) is not None:
                answered[place] = _items(patient, journals[place].day, trait, seed)
    return [replace(journal, answers=answered.get(place)) for place, journal in enumerate(journals)], forms


def _items(patient: PatientPlan, day: int, trait: float, seed: int) -> tuple[int, ...]:
    random = np.random.default_rng((seed, 6, patient.index, day))
    sad = np.mean([sad_share(before, patient.onset_day) for before in range(day - DAYS_BETWEEN + 1, day + 1)])
    logits = np.full(N_ITEMS, WELL_LOGIT + trait + SAD_LOGITS * sad / FULL_SAD_SHARE + random.normal(0, OCCASION_SD))
    logits[-1] += SELF_HARM_LOGITS
    return tuple(random.binomial(3, 1 / (1 + np.exp(-logits))).tolist())


def _alone(patient: PatientPlan, day: int, nights: Nights, items: tuple[int, ...]) -> FormPlan:
    midnight = datetime.combine(nights.first + timedelta(days=day), time(), ZoneInfo(patient.time_zone))
    at = midnight + timedelta(seconds=round(patient.hour * 3600))
    return FormPlan(patient, at, min(at.astimezone(UTC).date(), nights.last), items)

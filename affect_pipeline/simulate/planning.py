"""Drawing the plan of a cohort from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from affect_pipeline.nights import Nights
from affect_pipeline.simulate.cohort import (
    DEFAULT_START,
    CohortPlan,
    Fault,
    JournalPlan,
    PatientPlan,
    Role,
    Room,
)
from affect_pipeline.simulate.devices import DEVICES, Device
from affect_pipeline.simulate.forms import with_forms
from affect_pipeline.simulate.moods import Mood, MoodMix, daily_leans, natural_mix, sad_share, shifted_mix
from affect_pipeline.simulate.sources import Speaker, Utterance, VoiceSource, change_speakers

ONSET_SHARE = 0.5
LITTLE_DATA_SHARE = 1 / 6
PHONE_CHANGE_SHARE = 1 / 8
"""Share of the steady patients, at least one of them, who get a new phone during the study."""

DAYS_BEFORE_ONSET = 28
DAYS_AFTER_ONSET = 20
"""What an onset leaves before and after it, where the study is long enough for both."""

SHORTEST_BASELINE = 14
FAULT_SHARE = 0.04
LATE_SHARE = 0.04
AGAIN_SHARE = 0.02
SECOND_JOURNAL_SHARE = 0.06
MAX_LATE_DAYS = 5

LENGTH_S = (10.0, 17.0)
"""Where a journal ends once an utterance is over; the longest last about 20 s."""

PAUSE_S = (0.1, 0.5)
"""Pauses between utterances."""

UTTERANCES_DRAWN = 24
"""Utterances drawn for a journal; with less than a second of speech in each they would still fill it."""

CLINICS = (("north", "Europe/Berlin"), ("harbour", "Europe/London"), ("riverside", "America/New_York"))
PROMPTS = ("How was your day?", "What is on your mind?", "Tell us about your sleep.")
AGE_BANDS = ("18-29", "30-39", "40-49", "50-59", "60-69")

DECK: tuple[Device, ...] = tuple(
    device for device, n in zip(DEVICES, (3, 2, 2, 2, 1, 2, 1, 1), strict=True) for _ in range(n)
)
"""Phones are dealt from this deck, so that a dozen patients have nearly every kind, the common ones more often."""


def plan_cohort(
    source: VoiceSource, *, n_patients: int, n_days: int, seed: int, start: date = DEFAULT_START
) -> CohortPlan:
    """Draw a cohort.

    About half of the patients get an onset, a sixth record too little to be judged, the rest stay as
    they are; one or more of these change their phone. A few percent of the journals are faulty,
    late, or delivered twice. Everybody answers the PHQ-9 every two weeks.

    Parameters
    ----------
    source : VoiceSource
        The voices; each patient is one speaker, and speakers are used again when they run out.
    n_patients, n_days : int
        Size of the cohort.
    seed : int
        The same seed, sizes, start and source give the same plan.
    start : date
        First night.

    Raises
    ------
    ValueError
        If a size is not positive.
    """
    if n_patients < 1 or n_days < 1:
        raise ValueError(f"a cohort needs patients and days, not {n_patients} and {n_days}")
    nights = Nights(start, start + timedelta(days=n_days - 1))
    patients = _patients(source, n_patients, n_days, seed)
    by_speaker: dict[str, list[Utterance]] = {}
    for utterance in source.utterances:
        by_speaker.setdefault(utterance.speaker, []).append(utterance)
    journals = [
        journal for patient in patients for journal in _journals(patient, by_speaker[patient.speaker], nights, seed)
    ]
    journals, forms = with_forms(patients, _with_faults(journals, seed), nights, seed)
    return CohortPlan(seed, source.name, nights, tuple(patients), tuple(journals), tuple(forms))


def _patients(source: VoiceSource, n_patients: int, n_days: int, seed: int) -> list[PatientPlan]:
    random = np.random.default_rng((seed, 0))
    roles = _roles(n_patients, n_days, random)
    speakers = _speakers(source, roles, random)
    ids = 10_000 + random.permutation(90_000)[:n_patients]
    deal = random.permutation(len(DECK))
    steady = [index for index, role in enumerate(roles) if role is Role.STEADY]
    movers = set(steady[: max(1, round(PHONE_CHANGE_SHARE * len(steady)))]) if n_days > DAYS_BEFORE_ONSET else set()
    return [
        _patient(
            np.random.default_rng((seed, 1, index)),
            index=index,
            source_id=f"MRN-{ids[index]}",
            speaker=source.speakers[speakers[index]],
            role=roles[index],
            device=DECK[deal[index % len(DECK)]],
            n_days=n_days,
            changes_phone=index in movers,
        )
        for index in range(n_patients)
    ]


def _roles(n_patients: int, n_days: int, random: np.random.Generator) -> list[Role]:
    n_onset = round(ONSET_SHARE * n_patients) if n_days > SHORTEST_BASELINE else 0
    n_little = round(LITTLE_DATA_SHARE * n_patients)
    roles = [Role.ONSET] * n_onset + [Role.LITTLE_DATA] * n_little
    roles += [Role.STEADY] * (n_patients - len(roles))
    return [roles[index] for index in random.permutation(n_patients)]


def _speakers(source: VoiceSource, roles: Sequence[Role], random: np.random.Generator) -> list[str]:
    """Give every patient a speaker; those with an onset one who has sad recordings."""
    everyone = sorted({utterance.speaker for utterance in source.utterances})
    able = change_speakers(source.utterances)
    queue: list[str] = []
    chosen = []
    for role in roles:
        if not any(who in able or role is not Role.ONSET for who in queue):
            queue += [everyone[index] for index in random.permutation(len(everyone))]
        who = next(who for who in queue if who in able or role is not Role.ONSET)
        queue.remove(who)
        chosen.append(who)
    return chosen


def _patient(
    random: np.random.Generator,
    *,
    index: int,
    source_id: str,
    speaker: Speaker,
    role: Role,
    device: Device,
    n_days: int,
    changes_phone: bool,
) -> PatientPlan:
    clinic, time_zone = CLINICS[random.integers(len(CLINICS))]
    devices: tuple[tuple[int, Device], ...] = ((0, device),)
    if changes_phone:
        others = [one for one in DEVICES if one is not device]
        changed_on = int(random.integers(DAYS_BEFORE_ONSET, max(DAYS_BEFORE_ONSET + 1, n_days - 7)))
        devices += ((changed_on, others[random.integers(len(others))]),)
    joined_day, adherence = _presence(role, n_days, random)
    return PatientPlan(
        index=index,
        source_id=source_id,
        speaker=speaker.name,
        role=role,
        onset_day=_onset_day(n_days, random) if role is Role.ONSET else None,
        joined_day=joined_day,
        adherence=adherence,
        clinic=clinic,
        time_zone=time_zone,
        language=speaker.language,
        sex=speaker.sex,
        age_band=AGE_BANDS[random.integers(len(AGE_BANDS))],
        hour=float(random.uniform(8.0, 20.5)),
        devices=devices,
        room=Room(
            rt60_s=float(random.uniform(0.15, 0.5)),
            direct_to_reverberant_db=float(random.uniform(6.0, 14.0)),
            snr_db=float(random.uniform(26.0, 36.0)),
            seed=int(random.integers(2**31)),
        ),
    )


def _presence(role: Role, n_days: int, random: np.random.Generator) -> tuple[int, float]:
    """Return the day a patient joins and the share of days with a journal.

    Of those with too little data, half joined lately and half hardly ever record.
    """
    if role is not Role.LITTLE_DATA:
        return int(random.integers(0, 2)), float(random.uniform(0.75, 0.95))
    if random.random() < 0.5:
        return max(0, n_days - int(random.integers(8, 12))), 0.85
    return 0, min(0.15, 6 / n_days)


def _onset_day(n_days: int, random: np.random.Generator) -> int:
    last = n_days - DAYS_AFTER_ONSET
    first = min(DAYS_BEFORE_ONSET, max(SHORTEST_BASELINE, last))
    return int(random.integers(first, max(first, last) + 1))


def _journals(patient: PatientPlan, utterances: Sequence[Utterance], nights: Nights, seed: int) -> list[JournalPlan]:
    n_days = len(nights)
    leans = daily_leans(n_days, np.random.default_rng((seed, 2, patient.index)))
    by_mood: dict[Mood, list[Utterance]] = {}
    for utterance in utterances:
        by_mood.setdefault(utterance.mood, []).append(utterance)
    journals = []
    for day in range(patient.joined_day, n_days):
        random = np.random.default_rng((seed, 3, patient.index, day))
        if random.random() >= patient.adherence:
            continue
        mix = shifted_mix(natural_mix(by_mood, float(leans[day])), sad_share(day, patient.onset_day))
        n_parts = 1 + (random.random() < SECOND_JOURNAL_SHARE)
        midnight = datetime.combine(nights.first + timedelta(days=day), time(), ZoneInfo(patient.time_zone))
        journals += [
            _journal(
                random,
                patient=patient,
                day=day,
                midnight=midnight,
                part=part,
                last=nights.last,
                said=_said(mix, by_mood, random),
            )
            for part in range(n_parts)
        ]
    return journals


def _journal(
    random: np.random.Generator,
    *,
    patient: PatientPlan,
    day: int,
    midnight: datetime,
    part: int,
    last: date,
    said: tuple[Utterance, ...],
) -> JournalPlan:
    clock_h = float(np.clip(patient.hour + random.normal(0, 0.7), 6.0, 22.0)) + part * 1.25
    recorded_at = midnight + timedelta(seconds=round(clock_h * 3600))
    uploaded = recorded_at.astimezone(UTC).date()
    late = int(random.integers(1, MAX_LATE_DAYS + 1)) if random.random() < LATE_SHARE else 0
    night = min(uploaded + timedelta(days=late), last)
    again = random.random() < AGAIN_SHARE
    return JournalPlan(
        patient=patient,
        day=day,
        recorded_at=recorded_at,
        night=night,
        again_on=min(night + timedelta(days=int(random.integers(0, 3))), last) if again else None,
        device=patient.device(day),
        prompt=PROMPTS[random.integers(len(PROMPTS))],
        length_s=float(random.uniform(*LENGTH_S)),
        utterances=said,
        gaps_s=tuple(random.uniform(*PAUSE_S, size=len(said)).round(3).tolist()),
        gain_db=float(random.normal(0, 1.5)),
        snr_db=patient.room.snr_db + float(random.normal(0, 2.0)),
        seed=int(random.integers(2**31)),
    )


def _said(mix: MoodMix, by_mood: dict[Mood, list[Utterance]], random: np.random.Generator) -> tuple[Utterance, ...]:
    """Draw utterances enough for any journal; none twice while there are others of its mood."""
    left: dict[Mood, list[Utterance]] = {}
    said: list[Utterance] = []
    for _ in range(UTTERANCES_DRAWN):
        mood = mix.moods[random.choice(len(mix.moods), p=mix.shares)]
        if not left.get(mood):
            left[mood] = list(by_mood[mood])
        said.append(left[mood].pop(int(random.integers(len(left[mood])))))
    return tuple(said)


def _with_faults(journals: Sequence[JournalPlan], seed: int) -> list[JournalPlan]:
    """Spoil a few journals, each kind of fault in turn, so that a cohort of a usual size has them all."""
    random = np.random.default_rng((seed, 4))
    kinds = list(Fault)
    spoiled = random.permutation(len(journals))[: round(FAULT_SHARE * len(journals))]
    faults = {int(index): kinds[turn % len(kinds)] for turn, index in enumerate(spoiled)}
    return [journal.with_fault(faults[index]) if index in faults else journal for index, journal in enumerate(journals)]

"""The plan of a simulated cohort: who records what, when, with which phone, and what goes wrong.

A plan holds every choice that is drawn at random, so that rendering it is a plain function of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from affect_pipeline.nights import Nights
from affect_pipeline.simulate.devices import Device
from affect_pipeline.simulate.sources import Utterance

DEFAULT_START = date(2026, 1, 5)
"""First night of a cohort unless another is given; fixed, so that the same seed gives the same files."""


class Role(StrEnum):
    """What a patient is there to show."""

    ONSET = "onset"
    STEADY = "steady"
    LITTLE_DATA = "little_data"


class Fault(StrEnum):
    """What can be wrong with one delivered journal."""

    CLIPPED = "clipped"
    SILENT = "silent"
    NOISY = "noisy"
    TRUNCATED = "truncated"
    NOT_AUDIO = "not_audio"
    EMPTY = "empty"
    SIDECAR_MISSING = "sidecar_missing"
    SIDECAR_MALFORMED = "sidecar_malformed"


@dataclass(frozen=True)
class Room:
    """Where a patient records.

    Parameters
    ----------
    rt60_s : float
        Time in which the reverberation falls by 60 dB.
    direct_to_reverberant_db : float
        How much stronger the direct sound is than the room.
    snr_db : float
        Usual distance of the speech from the background noise.
    seed : int
        Makes the room's impulse response.
    """

    rt60_s: float
    direct_to_reverberant_db: float
    snr_db: float
    seed: int


@dataclass(frozen=True)
class PatientPlan:
    """One simulated patient; `index` counts from 0, days count from the first night.

    Parameters
    ----------
    source_id : str
        The identifier under which journals are delivered, in the form of a medical record number.
    speaker : str
        The voice.
    onset_day : int or None
        First day with changed speech.
    joined_day : int
        First day on which a journal may be recorded.
    adherence : float
        Share of days with a journal.
    devices : tuple[tuple[int, Device], ...]
        Which phone is used from which day on.
    """

    index: int
    source_id: str
    speaker: str
    role: Role
    onset_day: int | None
    joined_day: int
    adherence: float
    clinic: str
    time_zone: str
    language: str | None
    sex: str | None
    age_band: str
    hour: float
    devices: tuple[tuple[int, Device], ...]
    room: Room

    def device(self, day: int) -> Device:
        """Return the phone in use on a day."""
        return [device for since, device in self.devices if since <= day][-1]


@dataclass(frozen=True)
class JournalPlan:
    """One journal: what is said, how it was recorded, and how it arrives.

    Parameters
    ----------
    day : int
        Day of recording in the patient's time zone, from the first night.
    recorded_at : datetime
        When, with the offset of the patient's time zone.
    night : date
        Night of arrival.
    again_on : date or None
        Night on which the same file is delivered a second time.
    length_s : float
        The recording ends with the utterance that reaches this length.
    utterances : tuple[Utterance, ...]
        What is said, in order, as far as the length allows.
    gaps_s : tuple[float, ...]
        Silence before each utterance; the last one also follows the end.
    gain_db, snr_db : float
        Level against the phone's usual level; speech to noise ratio.
    answers : tuple[int, ...] or None
        PHQ-9 answers that come with it.
    """

    patient: PatientPlan
    day: int
    recorded_at: datetime
    night: date
    again_on: date | None
    device: Device
    prompt: str
    length_s: float
    utterances: tuple[Utterance, ...]
    gaps_s: tuple[float, ...]
    gain_db: float
    snr_db: float
    seed: int
    fault: Fault | None = None
    answers: tuple[int, ...] | None = None

    @property
    def stem(self) -> str:
        """File name without its ending, as a phone app would make it."""
        return f"journal-{self.recorded_at:%Y%m%d-%H%M%S}"

    @property
    def extension(self) -> str:
        """File name ending; a file that is not audio at all pretends to be a recording too."""
        return self.device.extension

    def with_fault(self, fault: Fault) -> JournalPlan:
        """Return the same journal with something wrong with it; it is then delivered only once."""
        return replace(self, fault=fault, again_on=None)


@dataclass(frozen=True)
class FormPlan:
    """PHQ-9 answers that come without a recording.

    Parameters
    ----------
    answered_at : datetime
        When, with the offset of the patient's time zone.
    night : date
        Night of arrival.
    items : tuple[int, ...]
        The answers.
    """

    patient: PatientPlan
    answered_at: datetime
    night: date
    items: tuple[int, ...]


@dataclass(frozen=True)
class CohortPlan:
    """A whole cohort.

    Parameters
    ----------
    seed : int
        What it was drawn from.
    source : str
        Name of the voices' source.
    nights : Nights
        Nights of arrival, one for each day of the study.
    patients : tuple[PatientPlan, ...]
        In order of their index.
    journals : tuple[JournalPlan, ...]
        Patient by patient, in order of recording.
    forms : tuple[FormPlan, ...]
        Questionnaires that come alone.
    """

    seed: int
    source: str
    nights: Nights
    patients: tuple[PatientPlan, ...]
    journals: tuple[JournalPlan, ...]
    forms: tuple[FormPlan, ...] = ()

    def date_of(self, day: int) -> date:
        """Return the calendar date of a day of the study."""
        return self.nights.first + timedelta(days=day)

    def select(self, keep: Callable[[JournalPlan], bool]) -> Sequence[JournalPlan]:
        """Return the journals for which `keep` says yes."""
        return [journal for journal in self.journals if keep(journal)]

"""What the API answers with: the bodies that OpenAPI documents and tests check."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PATIENT_EXAMPLE = "3f2a9c0d4b5e6f708192a3b4c5d6e7f8"
PatientState = Literal["alert", "stable", "too_little_data"]
AlertState = Literal["new", "acknowledged", "resolved"]


class Body(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(protected_namespaces=())


class Interval(Body):
    """A value and the range it lies in with 95 % confidence."""

    value: float = Field(description="Best estimate.", examples=[0.31])
    low: float = Field(description="Lower end of the 95 % interval.", examples=[0.22])
    high: float = Field(description="Upper end of the 95 % interval.", examples=[0.42])


class QualityVerdict(Body):
    """Whether the recording can be trusted, and what was measured."""

    verdict: Literal["accepted", "warned"] = Field(description="`warned`: usable, with care.", examples=["accepted"])
    warnings: list[str] = Field(description="What to be careful about, in words.", examples=[["some background noise"]])
    measured: dict[str, float | None] = Field(description="Every quality metric.", examples=[{"snr_db": 31.2}])


class Analysis(Body):
    """What the voice in one recording sounds like."""

    depression_probability: float = Field(ge=0, le=1, description="Low-mood proxy, 0 to 1. Not a diagnosis.")
    emotional_valence: float = Field(ge=-1, le=1, description="Unpleasant (-1) to pleasant (1).")
    status: Literal["typical", "elevated", "uncertain"] = Field(
        description="`elevated`: the whole 95 % interval lies above one half; `typical`: below; `uncertain`: it "
        "includes one half."
    )
    recommendation: str = Field(description="What to do next, in words.")
    depression: Interval = Field(description="The low-mood proxy with its uncertainty.")
    valence: Interval = Field(description="Valence with its uncertainty.")
    arousal: Interval = Field(description="Arousal, calm (-1) to excited (1), with its uncertainty.")
    biomarkers: dict[str, float | None] = Field(description="Interpretable measures; null where undefined.")
    biomarkers_in_words: list[str] = Field(
        examples=[["pitch variability 1.9 semitones", "speech rate 4.1 syllables a second"]]
    )
    quality: QualityVerdict
    n_windows: int = Field(description="Windows the model listened to.")
    model_version: str = Field(description="Digest of the model's weights and configuration.")
    disclaimer: str


class PatientSummary(Body):
    """One patient in a list."""

    patient_key: str = Field(examples=[PATIENT_EXAMPLE])
    clinic: str | None = Field(examples=["north"])
    time_zone: str | None = Field(examples=["Europe/Berlin"])
    language: str | None
    state: PatientState
    n_open_alerts: int
    last_day: date | None = Field(description="Day of the newest recording, in the patient's time zone.")
    first_night: date
    consent_withdrawn_night: date | None
    baseline_state: str | None
    baseline_reason: str | None
    baseline_ready_on: date | None


class PatientPage(Body):
    """One page of patients."""

    patients: list[PatientSummary]
    next_cursor: str | None = Field(description="Pass as `cursor` for the next page; null on the last one.")


class Baseline(Body):
    """A patient's own usual, for one channel."""

    segment: int
    state: str
    reason: str | None
    ready_on: date | None
    first_day: date | None
    last_day: date | None
    n_days: int
    mean: float | None
    sd: float | None
    autocorrelation: float | None
    as_of_night: date


class TrendDay(Body):
    """One day of one channel."""

    local_day: date
    value: float | None
    se: float | None
    n_journals: int | None
    expected: float | None
    band_low: float | None
    band_high: float | None
    statistic: float | None
    limit_value: float | None
    signal: bool | None


class TrendChannel(Body):
    """One channel of a trend."""

    channel: str = Field(examples=["depression"])
    label: str = Field(examples=["Low-mood signal"])
    unit: str
    baseline: Baseline | None
    days: list[TrendDay]


class Alert(Body):
    """A lasting departure of a patient from their own baseline."""

    alert_id: str
    patient_key: str = Field(examples=[PATIENT_EXAMPLE])
    clinic: str | None
    time_zone: str | None
    state: AlertState
    kind: str
    direction: str
    severity: str
    score: float = Field(description="Strength of the evidence; larger is stronger.")
    explanation: str | None = Field(description="What changed, in words and numbers.")
    opened_night: date
    opened_day: date | None
    onset_day: date | None = Field(description="Best estimate of the first day of the change.")
    onset_low: date | None = Field(description="Earliest likely first day.")
    onset_high: date | None = Field(description="Latest likely first day.")
    last_night: date | None
    resolved_night: date | None
    channels: Any = Field(description="How far each channel moved, in the patient's own SDs.")
    evidence: Any
    model_digest: str
    looked_after_by: list[str] | None = Field(description="People the patient is assigned to.")
    last_actor: str | None
    last_action: str | None
    last_action_at: datetime | None


class AlertPage(Body):
    """One page of alerts, ranked."""

    alerts: list[Alert]
    next_cursor: str | None


class AlertEvent(Body):
    """What the pipeline said about an alert on one night."""

    seq: int
    night: date
    kind: str
    severity: str
    score: float | None
    explanation: str | None


class AlertAction(Body):
    """What a person did with an alert."""

    action_id: int
    actor: str
    kind: str
    comment: str | None
    at: datetime


class AlertDetail(Alert):
    """An alert with its whole history."""

    events: list[AlertEvent]
    actions: list[AlertAction]


class Note(BaseModel):
    """What a person wants to say about an alert."""

    model_config = ConfigDict(extra="forbid")
    comment: str = Field(default="", max_length=4000, description="Free text. Leave out names.", examples=["Called."])


class Comment(BaseModel):
    """A comment; it cannot be empty."""

    model_config = ConfigDict(extra="forbid")
    comment: str = Field(min_length=1, max_length=4000, pattern=r"\S", examples=["Left a message, will call again."])


class Trend(Body):
    """How one patient sounds over time, beside what was expected."""

    patient_key: str = Field(examples=[PATIENT_EXAMPLE])
    clinic: str | None
    time_zone: str | None
    model_digest: str | None
    first_day: date
    last_day: date
    channels: list[TrendChannel]
    alerts: list[Alert]


class ClinicCounts(Body):
    """How the patients of one clinic are doing."""

    clinic: str
    n_patients: int
    n_alert: int
    n_stable: int
    n_too_little_data: int
    n_withdrawn: int


class WeekCounts(Body):
    """Recordings of one week."""

    week: date
    n_patients: int
    n_journals: int
    n_quarantined: int


class AlertWeek(Body):
    """Alerts of one week and direction."""

    week: date
    direction: str
    n_alerts: int


class Cohort(Body):
    """All patients you may see, in counts."""

    as_of_night: date | None
    clinics: list[ClinicCounts]
    weeks: list[WeekCounts]
    alerts: list[AlertWeek]


class Night(Body):
    """Counts of one night."""

    night: date
    n_found: int
    n_journals: int
    n_duplicates: int
    n_accepted: int
    n_warned: int
    n_quarantined: int
    n_scored: int
    n_patients: int
    n_alerts_opened: int


class ReasonCounts(Body):
    """How often one reason put recordings in quarantine, or warned."""

    reason: str
    verdict: Literal["failed", "warned"]
    n_journals: int
    n_patients: int


class DeviceCounts(Body):
    """Quality of the recordings of one device."""

    device: str
    n_journals: int
    n_quarantined: int
    median_snr_db: float | None
    median_speech_s: float | None


class PopulationShift(Body):
    """One measure that has moved in one part of the cohort as a whole."""

    dimension: str = Field(description="How the cohort is cut.", examples=["device"])
    part: str = Field(description="Which part.", examples=["phone-b"])
    measure: str = Field(examples=["energy_mean_db"])
    n_patients: int = Field(description="Patients who were compared with themselves.")
    reference_mean: float
    current_mean: float
    difference: float = Field(description="Mean over patients of now minus before.")
    effect: float = Field(description="The same in standard deviations of a typical patient.")
    p_value: float


class Population(Body):
    """Whether the recordings as a whole have shifted: news for operators, about no patient."""

    night: date
    n_compared: int
    n_too_little_data: int
    n_shifted: int
    example_reason: str | None = Field(description="Why something could not be compared.")
    shifts: list[PopulationShift] = Field(description="The largest first.")


class Quality(Body):
    """How good the recordings of a range of nights were."""

    first_night: date | None
    last_night: date | None
    nights: list[Night]
    reasons: list[ReasonCounts]
    devices: list[DeviceCounts]
    population: Population | None = Field(description="Of the newest night that was compared with the weeks before.")


class Run(Body):
    """One run of a DAG."""

    run_id: str
    dag_id: str
    first_night: date | None
    last_night: date | None
    outcome: str
    counts: Any
    model_digest: str | None
    suite_version: str | None
    code_version: str | None
    started_at: datetime | None
    finished_at: datetime | None


class RunPage(Body):
    """One page of runs, newest first."""

    runs: list[Run]
    next_cursor: str | None


class Delivered(Body):
    """A recording that now lies in the landing zone."""

    journal_id: str = Field(description="SHA-256 of the recording; the same recording always has the same.")
    night: date = Field(description="The night that will take it in.")
    already_there: bool = Field(description="True if this recording had been delivered before.")


class Health(Body):
    """Whether the service can do its work."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str] = Field(default_factory=dict, examples=[{"warehouse": "ok", "model": "loading"}])

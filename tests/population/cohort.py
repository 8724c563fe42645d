"""Cohorts of patients with their own levels and moods, in arrays and in the warehouse."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import BIOMARKERS, MODEL, biomarkers, digest, frame, journal, key, patient, score

LAST_NIGHT = dt.date(2026, 3, 1)
N_DAYS = 35
QUALITY = (
    "duration_s", "speech_s", "speech_ratio", "silence_ratio", "snr_db", "clipping_ratio", "level_dbfs",
    "loudness_lufs", "bandwidth_hz", "dc_offset", "sample_rate_hz", "n_channels",
)  # fmt: skip
Floats = npt.NDArray[np.float64]


def days_of_patients(rng: np.random.Generator, shape: tuple[int, ...], carry: float = 0.5) -> Floats:
    """Return values of shape (..., days): own level, days that hang together, skewed; in SDs of a patient."""
    values = rng.gamma(2.0, size=shape) / np.sqrt(2.0) - np.sqrt(2.0)
    for day in range(1, shape[-1]):
        values[..., day] = carry * values[..., day - 1] + np.sqrt(1 - carry**2) * values[..., day]
    return values + 2 * rng.normal(size=(*shape[:-1], 1))


@dataclass(frozen=True)
class Update:
    """A microphone update: from a day on, one device hears less energy."""

    device: str = "phone-b"
    first_day: int = N_DAYS - 7
    energy_db: float = -6.0


def load(engine: sa.Engine, n_patients: int = 26, update: Update | None = None, seed: int = 0) -> None:
    """Fill a warehouse: two devices, two clinics and languages, a recording on most days, and a patient who is new."""
    rng = np.random.default_rng(seed)
    measures = ("depression_logit", "valence", "arousal", *BIOMARKERS, *QUALITY)
    values = days_of_patients(rng, (n_patients, len(measures), N_DAYS))
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("patients", "journals", "scores", "biomarkers", "audio_quality")
    }
    for number in range(n_patients):
        name, newcomer = f"patient {number}", number == 0
        clinic, device = ("west" if newcomer else "north" if number % 2 else "south"), f"phone-{'ab'[number % 3 == 0]}"
        language = "de" if number % 4 < 2 else "en"
        first = LAST_NIGHT - dt.timedelta(days=N_DAYS)
        tables["patients"].append(patient(name, clinic=clinic, language=language, first_night=first))
        for day in range(N_DAYS - 5 if newcomer else 0, N_DAYS):
            if rng.random() < 0.2:
                continue
            found = dict(zip(measures, values[number, :, day], strict=True))
            if update and device == update.device and day >= update.first_day:
                for loud in ("energy_mean_db", "level_dbfs", "loudness_lufs"):
                    found[loud] += update.energy_db
            label, local = f"{name} {day}", LAST_NIGHT - dt.timedelta(days=N_DAYS - 1 - day)
            place = {"local_day": local, "patient_key": key(name)}
            told = {"device": device, "clinic": clinic, "language": language}
            tables["journals"].append(journal(label, night=local, **place, **told))
            heard = {"depression_logit": found["depression_logit"]} | {
                one: float(np.tanh(found[one] / 4)) for one in ("valence", "arousal")
            }
            tables["scores"].append(score(label, model_digest=MODEL, **place, **heard))
            tables["biomarkers"].append(biomarkers(label, **place, **{one: found[one] for one in BIOMARKERS}))
            quality = {one: found[one] for one in QUALITY} | {"n_channels": 1}
            tables["audio_quality"].append({"journal_id": digest(label)} | quality)
    with engine.begin() as connection:
        for table, rows in tables.items():
            upsert(connection, table, frame(*rows))
        accepted = [
            {"journal_id": row["journal_id"], "status": "accepted", "failed": [], "warned": []}
            for row in tables["journals"]
        ]
        upsert(connection, "journal_verdicts", frame(*accepted))

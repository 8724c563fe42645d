"""A small cohort in the warehouse: six patients of two clinics over six weeks, one of whom changes."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import sqlalchemy as sa

from affect_pipeline.nights import Nights
from affect_pipeline.warehouse.derive import derive_nights
from affect_pipeline.warehouse.load import upsert
from tests.warehouse.rows import (
    DAY,
    MODEL,
    alert,
    biomarkers,
    digest,
    frame,
    journal,
    key,
    monitored_day,
    patient,
    phq,
    refused_phq,
    score,
)

PATIENTS = ("ada", "ben", "cleo", "dan", "eve", "new")
CHANGED, SILENT, NEW = "ben", "dan", "new"
DAYS = [DAY + dt.timedelta(days=number) for number in range(42)]
SECOND_MODEL = digest("challenger")
QUALITY = (
    "duration_s", "speech_s", "speech_ratio", "silence_ratio", "snr_db", "clipping_ratio", "level_dbfs",
    "loudness_lufs", "bandwidth_hz", "dc_offset", "sample_rate_hz", "n_channels",
)  # fmt: skip


def clinic_of(name: str) -> str:
    return "north" if name < "d" else "south"


def days_of(name: str) -> list[dt.date]:
    return {SILENT: DAYS[:30], NEW: DAYS[-5:]}.get(name, DAYS)


def value_of(name: str, number: int) -> float:
    shift = 2.0 if name == CHANGED and number >= 32 else 0.0
    return PATIENTS.index(name) / 4 + 0.5 * math.sin(number * 2.3) + shift


def load_cohort(engine: sa.Engine) -> None:
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("patients", "journals", "deliveries", "audio_quality", "quality_checks", "scores",
                              "biomarkers", "monitored_days", "baselines", "questionnaires")
    }  # fmt: skip
    for name in PATIENTS:
        patient_rows(name, tables)
        for number, day in enumerate(days_of(name)):
            day_rows(name, number, day, tables)
        phq_rows(name, tables)
    tables["questionnaires"].append(refused_phq("eve", DAYS[13]))
    with engine.begin() as connection:
        for table, rows in tables.items():
            upsert(connection, table, frame(*rows))
        verdict = {"journal_id": digest("eve 3"), "status": "quarantined", "failed": ["snr_at_least"], "warned": []}
        accepted = [
            {"journal_id": row["journal_id"], "status": "accepted", "failed": [], "warned": []}
            for row in tables["journals"]
        ]
        upsert(connection, "journal_verdicts", frame(*accepted))
        upsert(connection, "journal_verdicts", frame(verdict))
        upsert(connection, "drift_alerts", frame(changed_alert()))
        upsert(connection, "alert_events", frame(opened_event()))
        derive_nights(connection, Nights(DAYS[0], DAYS[-1]))


def patient_rows(name: str, tables: dict[str, list[dict[str, Any]]]) -> None:
    days = days_of(name)
    tables["patients"].append(
        patient(name, clinic=clinic_of(name), first_night=days[0], sex="f" if name > "c" else "m")
    )
    ready = len(days) >= 14
    tables["baselines"].append(
        {
            "patient_key": key(name), "model_digest": MODEL, "channel": "depression", "segment": 0,
            "state": "ready" if ready else "too_little_data", "reason": None if ready else "5 of 14 days",
            "ready_on": DAYS[-1] + dt.timedelta(days=9), "first_day": days[0], "last_day": days[min(27, len(days) - 1)],
            "n_days": min(28, len(days)), "mean": PATIENTS.index(name) / 4, "sd": 0.35, "autocorrelation": 0.1,
            "weekday_effects": [0.0] * 7, "as_of_night": days[-1],
        }
    )  # fmt: skip


def day_rows(name: str, number: int, day: dt.date, tables: dict[str, list[dict[str, Any]]]) -> None:
    label, whose = f"{name} {number}", {"patient_key": key(name)}
    value = value_of(name, number)
    row = journal(label, night=day, local_day=day, clinic=clinic_of(name), device=f"{clinic_of(name)} phone", **whose)
    tables["journals"].append(row)
    tables["deliveries"].append(
        {column: row[column] for column in ("delivery_key", "night", "journal_id", "problem")} | whose
    )
    tables["audio_quality"].append({"journal_id": digest(label)} | dict.fromkeys(QUALITY, 1.0))
    tables["quality_checks"].append(
        {"journal_id": digest(label), "suite_version": "1", "expectation": "snr_at_least", "metric": "snr_db",
         "value": 20.0, "verdict": "passed"}
    )  # fmt: skip
    for model, shift in ((MODEL, 0.0), (SECOND_MODEL, 0.25)):
        tables["scores"].append(
            score(label, local_day=day, model_digest=model, depression_logit=value + shift, **whose)
        )
    tables["biomarkers"].append(biomarkers(label, local_day=day, f0_sd_st=3.0 - value, **whose))
    tables["monitored_days"].append(
        monitored_day(
            name, local_day=day, depression=value, depression_se=0.1, depression_expected=PATIENTS.index(name) / 4,
            depression_half_band=1.5, depression_level=value, statistic=value, limit_value=2.0, signal=value > 2.0,
        )
    )  # fmt: skip


def phq_rows(name: str, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Add a PHQ every two weeks; that of who changes rises with the voice, and ends with thoughts of self-harm."""
    for number in range(13, len(DAYS), 14):
        worse = name == CHANGED and number >= 32
        items = [2 if worse else (PATIENTS.index(name) + place + number) % 2 for place in range(8)] + [int(worse)]
        tables["questionnaires"].append(phq(name, DAYS[number], items))


def changed_alert() -> dict[str, Any]:
    return alert(CHANGED, patient_key=key(CHANGED), opened_night=DAYS[36], opened_day=DAYS[36], onset_day=DAYS[32],
                 onset_low=DAYS[30], onset_high=DAYS[33], last_night=DAYS[-1])  # fmt: skip


def opened_event() -> dict[str, Any]:
    return {"alert_id": key(CHANGED), "seq": 1, "night": DAYS[36], "kind": "opened", "severity": "high", "score": 3.5,
            "explanation": "sounds different"}  # fmt: skip

"""Keep nothing longer than the settings say, and honour withdrawn consent.

| task | what it does |
|---|---|
| `keep_house` | removes recordings and files of runs past their time, erases patients who are due |

**What is due.** Recordings older than `AFFECT_KEEP_AUDIO_DAYS`, files of runs older than `AFFECT_KEEP_WORK_DAYS`,
patients of whom nothing was heard for `AFFECT_KEEP_PATIENT_DAYS`, and, with `AFFECT_ERASE_AFTER_WITHDRAWAL`, patients
whose consent was withdrawn. (A withdrawal stops collection in the same night, with or without this.) Each setting is 0,
or off, by default but the second.

**What it leaves.** A receipt in the audit trail for each patient: `affect audit list --action patient_erased`. Charts
and cohort profiles are made anew without them.

**Doing it again** finds nothing left to do. A run that was interrupted is finished by the next one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import CronDataIntervalTimetable, dag, get_current_context, task

from affect_pipeline.airflow_tasks import DEFAULT_ARGS, TellPeople, folders, tables
from affect_pipeline.settings import get_settings


# An erasure takes a patient's rows from every table that has any, and derives charts and cohorts anew from the rest.
# `tests/e2e/test_lineage.py` holds these lists against what was read and written.
@task(
    inlets=tables("patients", "deliveries", "journals", "scores", "biomarkers", "nights", "erasures"),
    outlets=folders("raw", "work", "data-docs")
    + tables(
        "alert_events",
        "audio_quality",
        "audit_events",
        "baselines",
        "biomarkers",
        "care_assignments",
        "chart_state",
        "cohort_profiles",
        "deliveries",
        "drift_alerts",
        "erasures",
        "fhir_deliveries",
        "journals",
        "known_changes",
        "monitor_progress",
        "monitored_days",
        "nights",
        "omop_persons",
        "patients",
        "quality_checks",
        "quarantine_releases",
        "questionnaires",
        "scores",
        "voice_keys",
    ),
)
def keep_house() -> dict[str, Any]:
    """Remove what is past its time, and erase patients who are due; return counts."""
    from affect_pipeline.privacy.housekeeping import housekeeping

    run = get_current_context()["dag_run"]
    return housekeeping(get_settings(), (run.logical_date or run.run_after).astimezone(UTC).date()).as_dict()


@dag(
    schedule=CronDataIntervalTimetable("0 12 * * *", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellPeople(),
    tags=["affect", "privacy"],
    doc_md=__doc__,
)
def privacy_housekeeping() -> None:
    """Keep house once a day, when no night is being worked on."""
    keep_house()


privacy_housekeeping()

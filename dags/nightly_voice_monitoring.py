"""Listen to the voice journals that arrived during one night, and compare every patient with their own baseline.

A night is a UTC calendar day of arrival.

| task | what it does | cut into |
|---|---|---|
| `collect` | lists the landing zone, copies new recordings, gives every patient a pseudonym | one |
| `measure` | decodes, measures quality and biomarkers, prepares audio for the model | shards of patients |
| `validate` | judges each journal by the quality suite; what fails is quarantined | one |
| `score` | scores the journals that passed with the champion model (pool `gpu`) | shards of patients |
| `monitor` | day values, baselines, control charts, drift alerts | one |
| `publish` | summary of the run, whether the recordings as a whole have shifted, metrics, notifications | one |

**Which night.** The logical date is the night. A manual run may name it in the parameter `night`;
without it and without a logical date, the last night that was over is taken.

**Doing it again.** Every task is a function of its inputs and may be cleared and run again; the rows
it leaves are the same. `airflow backfill create --dag-id nightly_voice_monitoring --from-date ...
--to-date ...` runs nights in the past, in any order. For many nights at once use `history_backfill`.

**When it fails.** `validate` fails on purpose if too many journals of the night fail their quality
checks: look for a broken microphone update before you run it again. A task that cannot succeed
(a refused model, a wrong setting) fails at once; all others are tried three times.

**When it is late.** A run that takes longer than `AFFECT_NIGHTLY_DEADLINE_MINUTES` raises a deadline
alert and tells the notification URLs.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import CronDataIntervalTimetable, Param, dag

from affect_pipeline.airflow_tasks import DEFAULT_ARGS, TellPeople, nightly_deadline, run_stages


@dag(
    # The logical date is the start of the data interval: the night itself, in schedules and in backfills.
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2020, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    deadline=nightly_deadline(),
    params={
        "night": Param(
            None,
            type=["null", "string"],
            format="date",
            description="Night to work on. Empty: the logical date, or the last night that was over.",
        )
    },
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellPeople(),
    tags=["affect", "nightly"],
    doc_md=__doc__,
)
def nightly_voice_monitoring() -> None:
    """Run the stages over one night."""
    run_stages()


nightly_voice_monitoring()

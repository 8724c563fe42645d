"""Run the stages of `nightly_voice_monitoring` over a range of nights, in one run.

For a first load of the warehouse, or to score history with a new model. It leaves the same rows as
running the nights one by one, and is many times faster: a task starts, and loads the model, once a
shard and not once a shard and night.

Parameters: `first_night` and `last_night`, both of them included. Nobody is notified of alerts that
a backfill finds: they stand in the warehouse and on the dashboard.

The recordings as a whole are compared with the weeks before for the last night only.

It can be run again, over the same or an overlapping range.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from affect_pipeline.airflow_tasks import DEFAULT_ARGS, TellPeople, run_stages


@dag(
    schedule=None,
    max_active_runs=1,
    is_paused_upon_creation=False,
    params={
        "first_night": Param("2026-01-05", type="string", format="date", description="First night to work on."),
        "last_night": Param("2026-01-05", type="string", format="date", description="Last night to work on."),
    },
    default_args=DEFAULT_ARGS,
    on_failure_callback=TellPeople(),
    tags=["affect", "backfill"],
    doc_md=__doc__,
)
def history_backfill() -> None:
    """Run the stages over a range of nights."""
    run_stages()


history_backfill()

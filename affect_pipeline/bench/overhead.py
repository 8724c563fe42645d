"""What Airflow adds to a night: the same night through the scheduler of a local stack, and in one process.

Everything that is not stage work counts as Airflow's: scheduling, starting processes, importing, writing logs, XCom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from affect_pipeline.bench.night import NIGHT, deliver, night_settings, run
from affect_pipeline.errors import StackError

N_SHARDS = 16
JOURNALS_PER_SHARD = 4


@dataclass(frozen=True)
class Row:
    """One night through Airflow.

    Parameters
    ----------
    n_shards, n_tasks : int
        Shards, and task instances that ran.
    run_s : float
        From the start of the DAG run to its end.
    work_s : float
        What the stages of the same night take in one process, imports left out.
    overhead_s : float
        The difference.
    """

    n_shards: int
    n_tasks: int
    run_s: float
    work_s: float
    overhead_s: float


def measure(home: Path, seed: int, model: Path | None = None, say: Callable[[str], None] = lambda _: None) -> Row:
    """Run a night of sixteen shards through Airflow and in one process.

    Parameters
    ----------
    home : Path
        An empty folder.
    seed : int
        Draws the journals.
    model : Path, optional
        Model folder; by default the packaged one.
    say : callable
        Told what is being done.
    """
    from rich.console import Console

    from affect_pipeline.model.registry import register
    from affect_pipeline.stack.demo import NIGHTLY
    from affect_pipeline.stack.follow import follow
    from affect_pipeline.stack.local import local_stack
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    n = N_SHARDS * JOURNALS_PER_SHARD
    cut = {"journals_per_shard": JOURNALS_PER_SHARD, "max_shards": N_SHARDS}
    alone = run(home / "alone", n, seed, model=model, say=say, cut=cut)
    settings = night_settings(home / "airflow").model_copy(update=cut)
    deliver(settings, n, seed)
    if model is not None:
        migrate(connect(settings))
        register(settings, model, alias="champion")
    say("starting Airflow")
    with local_stack(settings, on_schedule=False, with_mlflow=False) as stack:
        stack.api.set_paused(NIGHTLY, paused=False)
        say(f"running the night in {N_SHARDS} shards")
        run_id = stack.api.trigger_night(NIGHTLY, NIGHT)
        if not follow(stack.api, NIGHTLY, run_id, console=Console(quiet=True), check=stack.processes.check):
            raise StackError(f"the night failed: {stack.api.failed_tasks(NIGHTLY, run_id)}")
        taken = stack.api.run_seconds(NIGHTLY, run_id)
        instances = stack.api.task_instances(NIGHTLY, run_id)
    n_shards = sum(instance["task_id"] == "measure" for instance in instances)
    return Row(n_shards, len(instances), taken, alone.total_s, taken - alone.total_s)

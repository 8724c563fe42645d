"""``scripts/cluster``: start the services of a compose file natively, check them, and keep them in the foreground."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def main(
    compose: Annotated[Path, typer.Argument(help="The compose file.")],
    workers: Annotated[int, typer.Option(min=1, help="Celery workers of the queue cpu.")] = 2,
    check: Annotated[bool, typer.Option("--check", help="Run every health check once, then stop.")] = False,
) -> None:
    """Start the services, and keep them in the foreground; Ctrl-C stops all of them."""
    from affect_pipeline.settings import get_settings
    from affect_pipeline.stack.cluster import await_health, health_environment, native_cluster
    from affect_pipeline.stack.compose import read_services
    from affect_pipeline.stack.report import addresses
    from affect_pipeline.stack.signals import one_interrupt

    console = Console(highlight=False)
    try:
        with one_interrupt(), native_cluster(get_settings(), compose, console.print, n_cpu_workers=workers) as stack:
            console.print(addresses(stack))
            if check:
                for name, service in read_services(compose, stack.environment).items():
                    if service.health and name != "postgres":
                        own = f"{name}-1" if name.startswith("worker") else name
                        await_health(service, health_environment(stack, own), timeout_s=60.0)
                        console.print(f"[green]✓[/] {name}: {' '.join(service.health)}")
                return
            while True:
                time.sleep(1.0)
                stack.processes.check()
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")


if __name__ == "__main__":
    typer.run(main)

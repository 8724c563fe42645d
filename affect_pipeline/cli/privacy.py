"""``affect privacy``: erasing a patient, retention, encryption at rest, new pseudonyms."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True, help="Erasure, retention, encryption at rest, new pseudonyms.")
out = Console(highlight=False)


@app.command()
def erase(
    patient: Annotated[str, typer.Argument(help="Pseudonym, or identifier in the landing zone.")],
    *,
    reason: Annotated[str, typer.Option(help="A word for the receipt.")] = "asked for",
    landing: Annotated[bool, typer.Option("--landing", help="Also remove the files in the landing zone.")] = False,
    derive: Annotated[
        bool, typer.Option(help="Make charts and cohort profiles anew now, not with the next night.")
    ] = True,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase everything about a patient; leaves a receipt in the audit trail."""
    from affect_pipeline.privacy.erasure import charts_through, derive_again
    from affect_pipeline.privacy.erasure import erase as erase_patient
    from affect_pipeline.settings import get_settings
    from affect_pipeline.warehouse.engine import connect

    if not yes:
        typer.confirm("Erase everything about this patient? Nothing brings it back.", abort=True)
    settings = get_settings()
    through = charts_through(connect(settings))
    today = datetime.now(UTC).date()
    done = erase_patient(settings, patient, today=today, reason=reason, clear_landing=landing)
    out.print(f"erased: {sum(done.rows.values())} rows, {done.n_recordings} recordings, {done.n_files} other files")
    for path in done.unreachable:
        out.print(f"[yellow]not there any more[/]: {path}. If it was moved, its copy still holds this patient's key.")
    for server in done.servers:
        out.print(f"[yellow]holds copies still[/]: {server}. Housekeeping asks it again every day.")
    if done.n_left_in_landing:
        out.print(f"{done.n_left_in_landing} recordings lie in the landing zone still; they are not taken in again.")
    if derive:
        derive_again(settings, through)
    out.print(f"receipt: audit event {done.event}")


@app.command()
def housekeeping() -> None:
    """Apply retention and withdrawn consent now, as the DAG privacy_housekeeping does every day."""
    from affect_pipeline.privacy.housekeeping import housekeeping as keep_house
    from affect_pipeline.settings import get_settings

    done = keep_house(get_settings(), datetime.now(UTC).date())
    out.print(f"removed: {done.n_recordings} recordings, {done.n_runs} runs' files, {done.n_patients} patients")


@app.command()
def encrypt() -> None:
    """Encrypt recordings that were collected before AFFECT_ENCRYPT_AUDIO was set."""
    from affect_pipeline.privacy.sealing import seal_collected
    from affect_pipeline.settings import get_settings

    done = seal_collected(get_settings())
    out.print(
        f"{done.n_sealed} recordings encrypted, {done.n_sealed_before} were before; {done.n_runs} runs' files removed"
    )


@app.command("rotate-pseudonyms")
def rotate_pseudonyms(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Give every patient and delivery a new pseudonym under a new secret; the old ones lead nowhere afterwards."""
    from affect_pipeline.privacy.rotation import rotate
    from affect_pipeline.settings import get_settings

    if not yes:
        typer.confirm("Give every patient a new pseudonym? No night may be running.", abort=True)
    done = rotate(get_settings())
    out.print(f"{done.n_patients} patients and {done.n_deliveries} deliveries have new pseudonyms")
    out.print(f"the secrets are in {done.secret_file}: back it up; without it no delivery finds its patient")

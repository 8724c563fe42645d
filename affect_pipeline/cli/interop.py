"""``affect interop``: the warehouse as FHIR R4 and as the OMOP CDM."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from affect_pipeline.nights import Nights
    from affect_pipeline.settings import Settings

app = typer.Typer(no_args_is_help=True, help="FHIR R4 and OMOP CDM: files, and a FHIR server kept up to date.")
out = Console(highlight=False, soft_wrap=True)

Out = Annotated[Path, typer.Option("--out", help="Folder for the files; only their owner can read them.")]
First = Annotated[str | None, typer.Option("--from", help="First night, by default the first there is.")]
Last = Annotated[str | None, typer.Option("--to", help="Last night, by default the last there is.")]
Patient = Annotated[
    str | None, typer.Option("--patient", help="Only this patient: pseudonym, or identifier in the landing zone.")
]


@app.command("fhir-export")
def fhir_export(folder: Out, first: First = None, last: Last = None, patient: Patient = None) -> None:
    """Write NDJSON files, one a resource type. They lie outside what an erasure reaches."""
    from affect_pipeline.interop.bulk import export
    from affect_pipeline.settings import get_settings

    settings = get_settings()
    counts = export(settings, folder, _nights(settings, first, last), _patient(settings, patient))
    for name, count in counts.items():
        out.print(f"{count:>9,} {name}")
    out.print(f"in {folder}. An erasure does not reach these files: whoever keeps them has to.")


@app.command("fhir-push")
def fhir_push(first: First = None, last: Last = None, patient: Patient = None) -> None:
    """Bring the FHIR server of AFFECT_FHIR_URL up to date; what it has already is not sent again."""
    from affect_pipeline.interop.client import client_of
    from affect_pipeline.interop.push import push
    from affect_pipeline.settings import get_settings

    settings = get_settings()
    with client_of(settings) as client:
        done = push(settings, client, _nights(settings, first, last), _patient(settings, patient))
    out.print(done.words())


@app.command("fhir-read")
def fhir_read(
    files: Annotated[list[Path], typer.Argument(help="JSON with one resource or a bundle, or .ndjson.", exists=True)],
    night: Annotated[str | None, typer.Option(help="Night of arrival, by default today's.")] = None,
) -> None:
    """Take in PHQ-9 answers from QuestionnaireResponses, for patients who are known here."""
    from datetime import UTC, datetime

    from affect_pipeline.errors import SettingsError
    from affect_pipeline.interop.receive import receive
    from affect_pipeline.settings import get_settings

    try:
        arrived = date.fromisoformat(night) if night else datetime.now(UTC).date()
    except ValueError as error:
        raise SettingsError(f"--night takes a night such as 2026-01-05 ({error})") from error
    done = receive(get_settings(), files, arrived)
    out.print(f"{done.n_taken} questionnaires taken in")
    for reason, number in done.refused.items():
        out.print(f"{number} refused: {reason}")
    if done.n_self_harm:
        out.print(f"[bold red]{done.n_self_harm}[/] with thoughts of self-harm: see the query list_self_harm_answers")


@app.command("fhir-example")
def fhir_example(
    what: Annotated[str, typer.Argument(help="score, absent, alert, questionnaire or codes.")] = "score",
) -> None:
    """Print made-up resources as others get them; no warehouse is asked."""
    import json

    from affect_pipeline.interop.examples import EXAMPLES

    if what not in EXAMPLES:
        raise typer.BadParameter(f"there are {', '.join(EXAMPLES)}")
    for resource in EXAMPLES[what]():
        typer.echo(json.dumps(resource, indent=2, ensure_ascii=False))


@app.command("omop-export")
def omop_export(
    folder: Out,
    parquet: Annotated[bool, typer.Option("--parquet", help="Parquet instead of CSV.")] = False,
    patient: Patient = None,
) -> None:
    """Write the OMOP CDM tables, one file each. They lie outside what an erasure reaches."""
    from affect_pipeline.interop.omop import export
    from affect_pipeline.settings import get_settings

    settings = get_settings()
    done = export(settings, folder, "parquet" if parquet else "csv", _patient(settings, patient))
    for name, count in done.counts.items():
        out.print(f"{count:>9,} {name}")
    if done.n_without_age:
        out.print(f"{done.n_without_age:,} patients without an age band are left out: the CDM wants a year of birth.")
    out.print(f"in {folder}. An erasure does not reach these files: whoever keeps them has to.")


def _nights(settings: Settings, first: str | None, last: str | None) -> Nights:
    """Return the nights that are meant: those named, or all there are."""
    import sqlalchemy as sa

    from affect_pipeline.errors import SettingsError
    from affect_pipeline.nights import Nights
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.queries import sql

    with connect(settings).connect() as connection:
        known = connection.execute(sa.text(sql("interop/find_nights"))).one()
    try:
        ends = [
            date.fromisoformat(given) if given else found for given, found in zip((first, last), known, strict=True)
        ]
        if None in ends:
            raise SettingsError("no night was run yet: there is nothing to take elsewhere")
        return Nights(ends[0], ends[1])
    except ValueError as error:
        raise SettingsError(f"--from and --to take nights such as 2026-01-05 ({error})") from error


def _patient(settings: Settings, patient: str | None) -> str | None:
    """Return the pseudonym of the patient who is meant."""
    from affect_pipeline.privacy.erasure import NoSuchPatient, find_patient
    from affect_pipeline.warehouse.engine import connect

    if patient is None:
        return None
    key, known = find_patient(settings, connect(settings), patient)
    if not known:
        raise NoSuchPatient("nothing is known here of a patient with that pseudonym or identifier")
    return key

"""Delivering a cohort's journals and questionnaires into a landing zone, as clinics' upload services would."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from affect_pipeline.errors import LandingZoneUnavailable
from affect_pipeline.simulate.cohort import CohortPlan, Fault, FormPlan, JournalPlan
from affect_pipeline.simulate.encoding import encode
from affect_pipeline.simulate.rendering import render
from affect_pipeline.simulate.sources import VoiceSource

TRUNCATED_SHARE = 0.3
"""How much of a truncated file arrives."""

NOT_AUDIO = b"<!doctype html><title>504 Gateway Timeout</title><p>The upload could not be completed.</p>\n"
"""What an upload service stores when it saves an error page in place of the recording."""

MALFORMED_SIDECAR = b'{"recorded_at": "yesterday evening", "device": '


@dataclass(frozen=True)
class DeliveredFile:
    """One file of the landing zone; `path` is relative to its root."""

    path: str
    content: bytes


@dataclass(frozen=True)
class Delivered:
    """What was written into a landing zone."""

    n_journals: int
    n_files: int
    n_bytes: int


def deliver(
    plan: CohortPlan,
    source: VoiceSource,
    landing_url: str,
    progress: Callable[[int], None] = lambda done: None,
) -> Delivered:
    """Render every journal of a plan and write it, with its sidecar and the questionnaires, into a landing zone.

    A file that is already there is replaced. The sidecar is written before the recording, so that a
    collector that looks in between finds no journal without one.

    Parameters
    ----------
    plan : CohortPlan
        The cohort.
    source : VoiceSource
        The voices it was planned with.
    landing_url : str
        A folder, or any fsspec URL.
    progress : Callable[[int], None]
        Told the number of journals delivered so far.

    Raises
    ------
    LandingZoneUnavailable
        If the landing zone cannot be written to.
    """
    import fsspec

    filesystem, root = fsspec.url_to_fs(landing_url)
    n_files = n_bytes = 0

    def write(file: DeliveredFile) -> None:
        nonlocal n_files, n_bytes
        target = f"{root.rstrip('/')}/{file.path}"
        try:
            filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            filesystem.pipe_file(target, file.content)
        except OSError as error:
            raise LandingZoneUnavailable(
                "the landing zone", "AFFECT_LANDING_URL", error.strerror or str(error)
            ) from error
        n_files, n_bytes = n_files + 1, n_bytes + len(file.content)

    for form in plan.forms:
        write(form_file(form))
    for done, journal in enumerate(plan.journals, start=1):
        for file in files_of(journal, source):
            write(file)
        progress(done)
    return Delivered(len(plan.journals), n_files, n_bytes)


def form_file(form: FormPlan) -> DeliveredFile:
    """Return the file of a questionnaire that comes alone."""
    patient = form.patient
    content = {
        "questionnaire": _phq(form.items, form.answered_at),
        "time_zone": patient.time_zone,
        "clinic": patient.clinic,
        "consent": True,
        "age_band": patient.age_band,
    }
    content |= {key: value for key, value in (("language", patient.language), ("sex", patient.sex)) if value}
    path = f"{form.night}/{patient.source_id}/phq-{form.answered_at:%Y%m%d}.json"
    return DeliveredFile(path, (json.dumps(content, indent=1) + "\n").encode())


def files_of(journal: JournalPlan, source: VoiceSource) -> Iterator[DeliveredFile]:
    """Yield the files by which a journal arrives: sidecar and recording, for each time it is delivered."""
    recording = recording_of(journal, source)
    sidecar = sidecar_of(journal)
    for night, stem in _arrivals(journal):
        folder = f"{night}/{journal.patient.source_id}"
        if sidecar is not None:
            yield DeliveredFile(f"{folder}/{stem}.json", sidecar)
        yield DeliveredFile(f"{folder}/{stem}.{journal.extension}", recording)


def recording_of(journal: JournalPlan, source: VoiceSource) -> bytes:
    """Return the audio file of a journal, or what arrives in its place."""
    if journal.fault is Fault.EMPTY:
        return b""
    if journal.fault is Fault.NOT_AUDIO:
        return NOT_AUDIO
    content = encode(render(journal, source), journal.device)
    if journal.fault is Fault.TRUNCATED:
        return content[: round(TRUNCATED_SHARE * len(content))]
    return content


def sidecar_of(journal: JournalPlan) -> bytes | None:
    """Return the sidecar of a journal; None if it is missing."""
    if journal.fault is Fault.SIDECAR_MISSING:
        return None
    if journal.fault is Fault.SIDECAR_MALFORMED:
        return MALFORMED_SIDECAR
    patient = journal.patient
    content = {
        "recorded_at": journal.recorded_at.isoformat(),
        "time_zone": patient.time_zone,
        "device": journal.device.name,
        "prompt": journal.prompt,
        "clinic": patient.clinic,
        "consent": True,
        "age_band": patient.age_band,
    }
    content |= {key: value for key, value in (("language", patient.language), ("sex", patient.sex)) if value}
    if journal.answers is not None:
        content["questionnaire"] = _phq(journal.answers, journal.recorded_at)
    return (json.dumps(content, indent=1) + "\n").encode()


def _phq(items: Sequence[int], answered_at: datetime) -> dict[str, object]:
    return {
        "instrument": "PHQ-9",
        "items": list(items),
        "total": sum(items),
        "answered_at": answered_at.isoformat(),
    }


def _arrivals(journal: JournalPlan) -> Iterator[tuple[date, str]]:
    yield journal.night, journal.stem
    if journal.again_on is not None:
        yield journal.again_on, f"{journal.stem}-retry"

"""``POST /journals``: a recording for the next night, delivered into the landing zone.

The name in the landing zone is the SHA-256 of the recording, so delivering it again changes nothing.
The sidecar is written first: a collector never finds a recording without one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from affect_pipeline.errors import LandingZoneUnavailable
from affect_pipeline.serving.access import Uploader
from affect_pipeline.serving.analysis import unusable
from affect_pipeline.serving.problems import Problem, answers
from affect_pipeline.serving.schemas import Delivered
from affect_pipeline.serving.uploads import Upload, read_upload, request_body

router = APIRouter(tags=["journals"])
PATIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_@+-]*(\.[A-Za-z0-9_@+-]+)*")
NIGHTS_SEARCHED = 2
"""Nights before the present one in which the same recording is looked for."""

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Sidecar(BaseModel):
    """The note that goes beside a recording in the landing zone."""

    model_config = ConfigDict(extra="forbid")
    recorded_at: AwareDatetime = Field(description="When it was recorded, with its offset.")
    time_zone: Text = Field(description="IANA time zone.", examples=["Europe/Berlin"])
    device: Text = Field(description="Device that recorded it.", examples=["phone-a"])
    clinic: Text = Field(description="Clinic that looks after the patient.", examples=["north"])
    consent: bool = Field(description="Whether the patient consents to the analysis.")
    prompt: Text | None = Field(default=None, description="What the patient was asked to talk about.")
    language: Text | None = Field(default=None, description="BCP 47.", examples=["de"])
    questionnaire: dict[str, Any] | None = Field(
        default=None,
        description="PHQ-9 or PHQ-8 answers, as JSON: `instrument`, `items` in order from 0 to 3, and if wanted "
        "`answered_at` and `total`.",
        examples=[{"instrument": "PHQ-9", "items": [1, 2, 0, 1, 0, 0, 1, 0, 0]}],
    )

    @field_validator("questionnaire", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError("must be JSON") from None

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be an IANA time zone such as Europe/Berlin") from None
        return value


PATIENT_FIELD = {
    "type": "string",
    "maxLength": 128,
    "description": "Identifier of the patient in the source system. It is kept in the landing zone only.",
}
FORM = {"patient_id": PATIENT_FIELD, **Sidecar.model_json_schema()["properties"]}
REQUIRED = ("patient_id", *Sidecar.model_json_schema()["required"])


@dataclass(frozen=True)
class Landing:
    """Writes recordings into a landing zone.

    Parameters
    ----------
    url : str
        A folder, or any fsspec URL.
    """

    url: str

    def deliver(self, content: bytes, suffix: str, patient_id: str, sidecar: Sidecar, night: date) -> dict[str, Any]:
        """Put one recording and its sidecar where the next night will find them.

        Parameters
        ----------
        content : bytes
            The recording.
        suffix : str
            Suffix of its format.
        patient_id : str
            Identifier of the patient in the source system.
        sidecar : Sidecar
            When, where and with what it was recorded.
        night : datetime.date
            The date of arrival.

        Returns
        -------
        dict
            As `schemas.Delivered`.

        Raises
        ------
        LandingZoneUnavailable
            If the landing zone cannot be written to.
        """
        import fsspec

        digest = hashlib.sha256(content).hexdigest()
        name = f"{patient_id}/{digest}{suffix}"
        try:
            filesystem, root = fsspec.url_to_fs(self.url)
            for earlier in (night - timedelta(days=n) for n in range(NIGHTS_SEARCHED + 1)):
                if filesystem.exists(f"{root.rstrip('/')}/{earlier}/{name}"):
                    return {"journal_id": digest, "night": earlier, "already_there": True}
            target = f"{root.rstrip('/')}/{night}/{name}"
            filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
            note = sidecar.model_dump_json(exclude_none=True).encode()
            _write_whole(filesystem, target.removesuffix(suffix) + ".json", note)
            _write_whole(filesystem, target, content)
        except OSError as error:
            raise LandingZoneUnavailable("the landing zone", "AFFECT_LANDING_URL", type(error).__name__) from error
        return {"journal_id": digest, "night": night, "already_there": False}


@router.post(
    "/journals",
    status_code=201,
    response_model=Delivered,
    responses={
        200: {"model": Delivered, "description": "This recording had been delivered before"},
        **answers(401, 403, 413, 415, 422, 503),
    },
    openapi_extra=request_body(FORM, REQUIRED),
)
async def deliver_journal(request: Request, person: Uploader) -> Response:
    """Deliver a recording for the next night. Delivering the same one again changes nothing."""
    upload = await read_upload(request)
    patient_id, sidecar = _read_form(upload)
    suffix = _suffix_of(upload.content)
    night: date = request.app.state.clock().astimezone(UTC).date()
    _check_questionnaire(sidecar, night)
    landing = Landing(request.app.state.settings.landing)
    done = await run_in_threadpool(partial(landing.deliver, upload.content, suffix, patient_id, sidecar, night))
    return Response(to_json(done), 200 if done["already_there"] else 201, media_type="application/json")


def utc_now() -> datetime:
    """Return the present time; the clock of the application."""
    return datetime.now(UTC)


def _read_form(upload: Upload) -> tuple[str, Sidecar]:
    fields = dict(upload.fields)
    patient_id = fields.pop("patient_id", "")
    if len(patient_id) > 128 or not PATIENT_ID.fullmatch(patient_id):
        detail = "`patient_id` must have 1 to 128 letters, digits, or - _ @ + with single dots between them."
        raise Problem(422, "invalid-request", "The request is not valid", detail, reason="patient_id_malformed")
    try:
        return patient_id, Sidecar.model_validate(fields)
    except ValidationError as error:
        errors = [{"where": ".".join(map(str, e["loc"])), "what": e["msg"], "kind": e["type"]} for e in error.errors()]
        raise Problem(
            422,
            "invalid-request",
            "The request is not valid",
            "See `errors`.",
            reason="sidecar_malformed",
            errors=errors,
        ) from None


def _check_questionnaire(sidecar: Sidecar, night: date) -> None:
    """Refuse answers that the night would refuse, while whoever sends them can still mend them."""
    from affect_pipeline.journals.questionnaires import Arrival, read_questionnaire

    note = sidecar.model_dump_json(exclude_none=True).encode()
    row = read_questionnaire(note, Arrival("", "", night, "journal"))
    if row is not None and row.problem and sidecar.consent:
        detail = f"The questionnaire was not understood: {row.problem_detail}."
        raise Problem(422, "invalid-request", "The request is not valid", detail, reason=row.problem)


def _suffix_of(content: bytes) -> str:
    """Name the file by what it holds, not by what it was called."""
    from affect_pipeline.journals.formats import SNIFFED_BYTES, audio_format

    if not content:
        raise unusable("empty_file")
    found = audio_format(content[:SNIFFED_BYTES])
    if found is None:
        raise unusable("not_audio")
    return f".{found}"


def _write_whole(filesystem: Any, path: str, content: bytes) -> None:
    """Write a file that is either whole or not there; object stores do so by themselves."""
    if "file" not in (filesystem.protocol if isinstance(filesystem.protocol, tuple) else (filesystem.protocol,)):
        filesystem.pipe_file(path, content)
        return
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name}.part"
    filesystem.pipe_file(temporary, content)
    filesystem.mv(temporary, path)

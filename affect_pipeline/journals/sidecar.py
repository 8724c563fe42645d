"""The sidecar: what the app says about a recording, in a small JSON file beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from affect_pipeline.errors import SidecarError

MAX_SIDECAR_BYTES = 64 * 1024
MAX_VALUES = 64
"""A sidecar is a flat object; more arrays and objects than that, nested or not, are no sidecar."""

MAX_NUMBER_CHARS = 32
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MAX_TEXT = 100
FREE_TEXT = re.compile(r"[\w][\w .,:;!?()/+#-]*")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
AGE_BAND = re.compile(r"\d{1,3}-\d{1,3}|\d{1,3}\+")
PROFILE = {"language": LANGUAGE, "clinic": FREE_TEXT, "sex": re.compile("[fmx]"), "age_band": AGE_BAND}
"""What a sidecar says of the patient, beside the time zone."""


@dataclass(frozen=True)
class Sidecar:
    """What a sidecar says, after checks.

    Parameters
    ----------
    recorded_at : datetime
        Moment of the recording, in UTC.
    utc_offset_min : int
        Offset from UTC where and when it was made.
    time_zone : str or None
        IANA name, if a known one was given.
    consent : bool or None
        True, False (withdrawn), or None if the sidecar does not say.
    device, prompt, language, clinic, sex, age_band : str or None
        As given, if it looks like what it should be.
    """

    recorded_at: datetime
    utc_offset_min: int
    time_zone: str | None
    consent: bool | None
    device: str | None = None
    prompt: str | None = None
    language: str | None = None
    clinic: str | None = None
    sex: str | None = None
    age_band: str | None = None

    @property
    def local_day(self) -> date:
        """Calendar day on which the patient recorded, where the patient was."""
        return local_day_of(self.recorded_at, self.utc_offset_min, self.time_zone)


def parse_sidecar(content: bytes, source_id: str = "") -> Sidecar:
    """Read a sidecar that anybody may have written.

    Parameters
    ----------
    content : bytes
        The JSON text.
    source_id : str
        The patient's identifier in the landing zone: a text that repeats it is dropped, so that it
        does not travel on as, say, the name of a device.

    Returns
    -------
    Sidecar

    Raises
    ------
    SidecarError
        With reason ``sidecar_malformed``; the detail never quotes the content.
    """
    fields = json_object(content)
    time_zone = known_zone(fields.get("time_zone"))
    recorded_at, offset = moment(fields, "recorded_at", time_zone)
    consent = fields.get("consent")
    if consent is not None and not isinstance(consent, bool):
        _malformed("consent must be true or false")
    return Sidecar(
        recorded_at=recorded_at,
        utc_offset_min=offset,
        time_zone=time_zone,
        consent=consent,
        device=_text(fields, "device", FREE_TEXT, source_id),
        prompt=_text(fields, "prompt", FREE_TEXT, source_id),
        **{name: _text(fields, name, pattern, source_id) for name, pattern in PROFILE.items()},
    )


def profile_of(content: bytes, source_id: str = "") -> dict[str, str | None]:
    """Return what a JSON file says of the patient: clinic, time zone, language, sex and age band.

    Raises
    ------
    SidecarError
        With reason ``sidecar_malformed``.
    """
    fields = json_object(content)
    return {"time_zone": known_zone(fields.get("time_zone"))} | {
        name: _text(fields, name, pattern, source_id) for name, pattern in PROFILE.items()
    }


def consent_of(content: bytes) -> bool | None:
    """Return what a sidecar says about consent, even if the rest of it makes no sense.

    A patient who withdrew consent is not to be collected because a date was misspelt.
    """
    try:
        value = json_object(content).get("consent")
    except SidecarError:
        return None
    return value if isinstance(value, bool) else None


def json_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object that anybody may have written.

    Raises
    ------
    SidecarError
        With reason ``sidecar_malformed``.
    """
    if len(content) > MAX_SIDECAR_BYTES:
        _malformed(f"more than {MAX_SIDECAR_BYTES} bytes")
    if content.count(b"[") + content.count(b"{") > MAX_VALUES:
        _malformed("nested too deeply")
    try:
        fields = json.loads(
            content.decode("utf-8-sig"),
            parse_constant=lambda name: _malformed(f"{name} is not JSON"),
            parse_int=lambda digits: int(_short(digits)),
            parse_float=lambda digits: float(_short(digits)),
        )
    except ValueError as error:  # also bad UTF-8
        _malformed(f"not JSON ({type(error).__name__})")
    if not isinstance(fields, dict):
        _malformed("not a JSON object")
    return fields


def _short(digits: str) -> str:
    return digits if len(digits) <= MAX_NUMBER_CHARS else _malformed("a number has too many digits")


def moment(fields: Mapping[str, Any], name: str, time_zone: str | None) -> tuple[datetime, int]:
    """Return a moment in UTC, and the offset in minutes that it was given with.

    Parameters
    ----------
    fields : mapping
        The object that holds it.
    name : str
        Its field, for instance ``recorded_at``.
    time_zone : str or None
        IANA name for a time without an offset.

    Raises
    ------
    SidecarError
        With reason ``sidecar_malformed``.
    """
    value = fields.get(name)
    if not isinstance(value, str):
        _malformed(f"{name} is missing; write for instance 2026-01-05T08:12:00+01:00")
    try:
        given = datetime.fromisoformat(value.strip())
        if given.tzinfo is None and time_zone:
            given = given.replace(tzinfo=ZoneInfo(time_zone))
        offset = given.utcoffset()
        if offset is None:
            _malformed(f"{name} has no offset and there is no time_zone")
        in_utc = given.astimezone(UTC)
    except (ValueError, OverflowError):
        _malformed(f"{name} is not an ISO 8601 time")
    if in_utc < EARLIEST:
        _malformed(f"{name} is before {EARLIEST.year}: the device's clock was not set")
    return in_utc, round(offset.total_seconds() / 60)


def local_day_of(in_utc: datetime, utc_offset_min: int, time_zone: str | None) -> date:
    """Return the calendar day of a moment where the patient was."""
    if time_zone:
        return in_utc.astimezone(ZoneInfo(time_zone)).date()
    return (in_utc + timedelta(minutes=utc_offset_min)).date()


def known_zone(value: object) -> str | None:
    """Return the name if it is that of a time zone; otherwise the offset has to do."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return None
    try:
        return ZoneInfo(value).key
    except (ValueError, OSError, KeyError):  # unknown, a path, a folder, or not a zone file
        return None


def _text(fields: dict[str, Any], name: str, pattern: re.Pattern[str], source_id: str) -> str | None:
    value = fields.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not pattern.fullmatch(value):
        return None
    return None if len(source_id) > 2 and source_id.casefold() in value.casefold() else value


def _malformed(detail: str) -> NoReturn:
    raise SidecarError("sidecar_malformed", detail)

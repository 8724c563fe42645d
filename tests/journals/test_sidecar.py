from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affect_pipeline.errors import SidecarError
from affect_pipeline.journals.sidecar import Sidecar, consent_of, parse_sidecar
from tests.audio import sidecar


def test_a_sidecar_is_read() -> None:
    assert parse_sidecar(sidecar(sex="f", age_band="30-39"), "p1") == Sidecar(
        recorded_at=datetime(2026, 1, 5, 7, 12, tzinfo=UTC),
        utc_offset_min=60,
        time_zone="Europe/Berlin",
        consent=True,
        device="Pixel 8",
        prompt="How was your day?",
        language="de",
        clinic="north",
        sex="f",
        age_band="30-39",
    )


@pytest.mark.parametrize(
    ("recorded_at", "time_zone", "local_day"),
    [
        ("2026-01-05T23:30:00+01:00", "Europe/Berlin", date(2026, 1, 5)),
        ("2026-01-05T23:30:00+00:00", "Europe/Berlin", date(2026, 1, 6)),
        ("2026-01-05T00:30:00+01:00", None, date(2026, 1, 5)),
        ("2026-01-05T23:30:00Z", "Mars/Olympus", date(2026, 1, 5)),
        ("2026-01-05T23:30:00Z", "../../etc/passwd", date(2026, 1, 5)),
        ("2026-01-05T23:30:00", "Pacific/Auckland", date(2026, 1, 5)),
        ("2026-03-29T02:30:00", "Europe/Berlin", date(2026, 3, 29)),
    ],
)
def test_the_local_day_is_the_patients(recorded_at: str, time_zone: str | None, local_day: date) -> None:
    assert parse_sidecar(sidecar(recorded_at=recorded_at, time_zone=time_zone)).local_day == local_day


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device", "Anna's iPhone"),
        ("device", "anna@example.org"),
        ("device", "phone of P-4711"),
        ("device", "x" * 101),
        ("device", 8),
        ("prompt", "a\nb"),
        ("language", "Deutsch!"),
        ("sex", "female"),
        ("age_band", "thirty"),
        ("clinic", ["north"]),
        ("clinic", "<script>"),
    ],
)
def test_a_text_that_is_not_what_it_should_be_is_left_out(field: str, value: Any) -> None:
    assert getattr(parse_sidecar(sidecar(**{field: value}), source_id="p-4711"), field) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b'{"recorded_at": 1e999}',
        b'{"recorded_at": Infinity}',
        b"[" * 70_000,
        b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
        sidecar(device="x" * 70_000),
        sidecar(recorded_at="2026-01-05T08:12:00", time_zone=None),
        sidecar(recorded_at="2026-13-45T08:12:00Z"),
        sidecar(recorded_at="9999-12-31T23:59:59-14:00"),
        sidecar(recorded_at="1970-01-01T00:00:00Z"),
        sidecar(recorded_at=1767600000),
        sidecar(consent=1),
    ],
    ids=lambda content: content[:30].decode(errors="replace"),
)
def test_what_makes_no_sense_is_malformed(content: bytes) -> None:
    with pytest.raises(SidecarError) as caught:
        parse_sidecar(content)
    assert caught.value.reason == "sidecar_malformed"


@pytest.mark.parametrize(
    ("extra", "complaint"),
    [
        (b"[" * 64 + b"]" * 64, "nested too deeply"),
        (b"[" + b"{}," * 70 + b"{}]", "nested too deeply"),
        (b"9" * 33, "too many digits"),
        (b"1." + b"0" * 40, "too many digits"),
    ],
    ids=["deep", "wide", "integer", "fraction"],
)
def test_nesting_and_numbers_have_limits(extra: bytes, complaint: str) -> None:
    good = sidecar()
    with pytest.raises(SidecarError, match=complaint):
        parse_sidecar(good[:-1] + b', "x": ' + extra + b"}")
    assert parse_sidecar(good[:-1] + b', "x": [[1.5], {"y": 123456789}]}').consent is True


def test_a_complaint_never_quotes_the_sidecar() -> None:
    with pytest.raises(SidecarError) as caught:
        parse_sidecar(sidecar(recorded_at="Erika Mustermann"))
    assert "Mustermann" not in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=9), children, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["recorded_at", "time_zone", "device", "consent", "language", "sex", "clinic"])


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine is slow, which says nothing of the strategy
@given(st.dictionaries(names, json_values), st.binary(max_size=40))
def test_whatever_is_sent_is_read_or_called_malformed(fields: dict[str, Any], noise: bytes) -> None:
    for content in (json.dumps(fields).encode(), sidecar(**fields), noise):
        with suppress(SidecarError):
            assert isinstance(parse_sidecar(content, "p-4711").local_day, date)


def test_withdrawn_consent_is_seen_even_where_the_rest_is_malformed() -> None:
    assert consent_of(b'{"consent": false, "recorded_at": 7}') is False
    assert consent_of(b'{"consent": true}') is True
    assert consent_of(b'{"consent": "no"}') is None
    assert consent_of(b"{") is None

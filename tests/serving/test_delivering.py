"""Recordings that are sent for the next night."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from affect_pipeline.journals.sidecar import parse_sidecar
from tests.serving.audio import ogg_opus, wav
from tests.serving.conftest import World

FORM = {
    "patient_id": "p-0042",
    "recorded_at": "2026-03-31T21:12:00+02:00",
    "time_zone": "Europe/Berlin",
    "device": "phone-a",
    "clinic": "north",
    "consent": "true",
    "prompt": "How was your day?",
    "language": "de",
}
SOUND = wav(np.zeros(1_600, np.float32))


def deliver(world: World, content: bytes = SOUND, name: str = "voice.wav", login: str = "uploader", **fields: str):  # type: ignore[no-untyped-def]
    return world.client(login).post("/journals", data={**FORM, **fields}, files={"file": (name, content)})


def landed(world: World) -> list[str]:
    root = Path(world.settings.landing)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_recording_lands_where_the_next_night_finds_it(own_world: World) -> None:
    digest = hashlib.sha256(SOUND).hexdigest()

    answer = deliver(own_world)

    assert answer.status_code == 201
    assert answer.json() == {"journal_id": digest, "night": "2026-04-01", "already_there": False}
    assert landed(own_world) == [f"2026-04-01/p-0042/{digest}.json", f"2026-04-01/p-0042/{digest}.wav"]


def test_the_sidecar_is_one_that_the_pipeline_reads(own_world: World) -> None:
    deliver(own_world)

    [note] = [name for name in landed(own_world) if name.endswith(".json")]
    content = (Path(own_world.settings.landing) / note).read_bytes()
    sidecar = parse_sidecar(content, "p-0042")
    assert (sidecar.device, sidecar.clinic, sidecar.consent) == ("phone-a", "north", True)
    assert sidecar.local_day.isoformat() == "2026-03-31"
    assert "p-0042" not in json.dumps(json.loads(content))


def test_delivering_the_same_recording_again_changes_nothing(own_world: World) -> None:
    first = deliver(own_world)
    before = landed(own_world)

    again = deliver(own_world, name="another name.mp3")

    assert again.status_code == 200
    assert again.json() == {**first.json(), "already_there": True}
    assert landed(own_world) == before


def test_the_content_names_the_file(own_world: World, speech: npt.NDArray[np.float32]) -> None:
    deliver(own_world, ogg_opus(speech[:16_000]), name="../../../evil.wav")

    assert [Path(name).suffix for name in landed(own_world)] == [".json", ".opus"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"patient_id": "../elsewhere"}, "patient_id_malformed"),
        ({"patient_id": "a..b"}, "patient_id_malformed"),
        ({"patient_id": ".hidden"}, "patient_id_malformed"),
        ({"patient_id": ""}, "patient_id_malformed"),
        ({"patient_id": "a/b"}, "patient_id_malformed"),
        ({"patient_id": "x" * 129}, "patient_id_malformed"),
        ({"recorded_at": "yesterday"}, "sidecar_malformed"),
        ({"recorded_at": "2026-03-31T21:12:00"}, "sidecar_malformed"),
        ({"time_zone": "Mars/Olympus"}, "sidecar_malformed"),
        ({"time_zone": "../../etc/passwd"}, "sidecar_malformed"),
        ({"consent": "perhaps"}, "sidecar_malformed"),
        ({"unknown": "field"}, "sidecar_malformed"),
    ],
)
def test_a_malformed_delivery_is_refused_and_leaves_nothing(
    own_world: World, fields: dict[str, str], reason: str
) -> None:
    answer = deliver(own_world, **fields)

    assert answer.status_code == 422
    assert answer.json()["reason"] == reason
    assert landed(own_world) == []


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty_file"), (b"not audio at all", "not_audio")])
def test_what_is_no_recording_is_refused(own_world: World, content: bytes, reason: str) -> None:
    answer = deliver(own_world, content)

    assert answer.status_code == 422
    assert answer.json()["reason"] == reason
    assert landed(own_world) == []

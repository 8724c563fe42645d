"""Audio over a WebSocket, estimates while somebody speaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from affect_pipeline.journals.sandbox import decode_apart
from affect_pipeline.model.scorer import Scorer
from affect_pipeline.serving.app import create_app
from affect_pipeline.serving.options import ServingOptions
from affect_pipeline.serving.stream_decoders import make_decoder
from tests.serving.audio import ogg_opus, opus_packets, wav
from tests.serving.conftest import World

Speech = npt.NDArray[np.float32]
START = {"type": "start", "encoding": "pcm16", "sample_rate_hz": 16_000}


def pcm(samples: Speech) -> bytes:
    return (np.clip(np.rint(samples * 32768), -32768, 32767)).astype("<i2").tobytes()


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def follow(socket: WebSocketTestSession, start: dict[str, Any], chunks: Iterator[bytes]) -> list[dict[str, Any]]:
    """Send everything, stop, and return all that was answered."""
    socket.send_json(start)
    for chunk in chunks:
        socket.send_bytes(chunk)
    socket.send_json({"type": "stop"})
    answers = []
    while not answers or answers[-1]["type"] not in ("final", "problem"):
        answers.append(socket.receive_json())
    return answers


def test_estimates_come_every_second_and_the_last_equals_the_whole_recording(world: World, speech: Speech) -> None:
    client = world.client("nora")
    whole = client.post("/analyze-vocal-health", files={"file": ("a.wav", wav(speech))}).json()

    with client.websocket_connect("/stream") as socket:
        answers = follow(socket, START, pieces(pcm(speech), 3_333))

    kinds = [answer["type"] for answer in answers]
    assert kinds[0] == "ready"
    assert 9 <= kinds.count("estimate") <= 12
    assert kinds[-1] == "final"
    assert abs(answers[-1]["depression_probability"] - whole["depression_probability"]) < 0.02
    assert abs(answers[-1]["emotional_valence"] - whole["emotional_valence"]) < 0.02
    running = [answer for answer in answers if answer["type"] == "estimate"]
    assert all(answer["estimate"] for answer in running[3:])
    assert running[-1]["speech_s"] > 5
    assert any(answer["speaking"] for answer in running)


def test_the_running_estimate_comes_close_to_the_last(world: World, speech: Speech) -> None:
    with world.client("nora").websocket_connect("/stream") as socket:
        answers = follow(socket, START, pieces(pcm(speech), 16_000))

    running = answers[-2]["estimate"]["depression_probability"]
    assert abs(running - answers[-1]["depression_probability"]) < 0.1


@pytest.mark.parametrize("encoding", ["ogg", "opus"])
def test_opus_is_heard_as_well(world: World, speech: Speech, encoding: str) -> None:
    client = world.client("nora")
    file = ogg_opus(speech)
    whole = client.post("/analyze-vocal-health", files={"file": ("a.opus", file)}).json()
    chunks = iter(opus_packets(file)) if encoding == "opus" else pieces(file, 1_500)

    with client.websocket_connect("/stream") as socket:
        answers = follow(socket, {"type": "start", "encoding": encoding}, chunks)

    assert answers[-1]["type"] == "final", answers[-1]
    assert abs(answers[-1]["depression_probability"] - whole["depression_probability"]) < 0.02
    assert answers[-1]["quality"]["measured"]["duration_s"] == pytest.approx(speech.size / 16_000, abs=0.1)


def test_silence_is_not_guessed_at(world: World) -> None:
    with world.client("nora").websocket_connect("/stream") as socket:
        answers = follow(socket, START, pieces(bytes(2 * 16_000 * 4), 16_000))

    assert all(answer["estimate"] is None and not answer["speaking"] for answer in answers[1:-1])
    assert answers[-1]["type"] == "problem"
    assert answers[-1]["problem"]["reason"] == "speech_at_least_3_s"


@pytest.mark.parametrize(
    "start",
    [
        {"type": "begin"},
        {"type": "start", "encoding": "mp3"},
        {"type": "start", "sample_rate_hz": 1},
        {"type": "start", "extra": 1},
        "hello",
    ],
)
def test_a_first_message_that_is_not_a_start_ends_the_stream(world: World, start: object) -> None:
    with world.client("nora").websocket_connect("/stream") as socket:
        socket.send_text(json.dumps(start))

        assert socket.receive_json()["type"] == "problem"
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


@pytest.mark.parametrize("encoding", ["opus", "ogg"])
def test_noise_in_place_of_opus_ends_the_stream(world: World, encoding: str) -> None:
    noise = b"OggS" * 3 + np.random.default_rng(0).bytes(500)

    with world.client("nora").websocket_connect("/stream") as socket:
        answers = follow(socket, {"type": "start", "encoding": encoding}, iter([noise]))

    assert answers[-1]["type"] == "problem"
    assert answers[-1]["problem"]["status"] == 422


@pytest.mark.parametrize("encoding", ["opus", "ogg"])
def test_a_stream_is_decoded_in_another_process(
    world: World, speech: Speech, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("libsndfile was called in the web service")

    file = ogg_opus(speech)
    chunks = iter(opus_packets(file)) if encoding == "opus" else pieces(file, 1_500)
    monkeypatch.setattr(soundfile, "SoundFile", refuse)

    with world.client("nora").websocket_connect("/stream") as socket:
        answers = follow(socket, {"type": "start", "encoding": encoding}, chunks)

    assert answers[-1]["type"] == "final", answers[-1]


def test_pieces_of_a_growing_file_are_the_whole_file(speech: Speech) -> None:
    file = ogg_opus(speech)
    decoder = make_decoder("ogg", 48_000, 1, max_s=60.0)

    heard = [decoder.add(chunk) for chunk in pieces(file, 1_500)]
    together = np.concatenate([*heard, decoder.rest()])

    whole = decode_apart(file).samples
    assert together.size == whole.size
    assert np.abs(together - whole).max() < 0.02  # the decoder finds its feet anew for each piece


def test_a_stream_that_is_too_long_ends(world: World, tiny_scorer: Scorer, speech: Speech) -> None:
    app = create_app(world.settings, load_scorer=lambda: tiny_scorer, options=ServingOptions(stream_max_s=2))

    with TestClient(app, headers=world.client("nora").headers).websocket_connect("/stream") as socket:
        answers = follow(socket, START, pieces(pcm(speech), 16_000))

    assert answers[-1]["type"] == "problem"
    assert answers[-1]["problem"]["reason"] == "too_long"
    app.state.inference.close()


def test_a_client_that_falls_silent_is_let_go(world: World, tiny_scorer: Scorer) -> None:
    app = create_app(world.settings, load_scorer=lambda: tiny_scorer, options=ServingOptions(stream_idle_s=0.05))

    with TestClient(app, headers=world.client("nora").headers).websocket_connect("/stream") as socket:
        assert socket.receive_json()["problem"]["type"] == "idle"
    assert app.state.metrics.n_streams == 0


def test_a_client_that_goes_away_frees_its_place(world: World, tiny_scorer: Scorer, speech: Speech) -> None:
    app = create_app(world.settings, load_scorer=lambda: tiny_scorer, options=ServingOptions(max_streams=1))
    client = TestClient(app, headers=world.client("nora").headers)

    for _ in range(3):
        with client.websocket_connect("/stream") as socket:
            socket.send_json(START)
            assert socket.receive_json()["type"] == "ready"
            assert app.state.metrics.n_streams == 1
            socket.send_bytes(pcm(speech[:8_000]))

    assert app.state.metrics.n_streams == 0
    app.state.inference.close()


def test_one_stream_too_many_is_told_to_come_later(world: World, tiny_scorer: Scorer) -> None:
    app = create_app(world.settings, load_scorer=lambda: tiny_scorer, options=ServingOptions(max_streams=1))
    client = TestClient(app, headers=world.client("nora").headers)

    with client.websocket_connect("/stream") as first:
        first.send_json(START)
        assert first.receive_json()["type"] == "ready"
        with client.websocket_connect("/stream") as second:
            assert second.receive_json()["type"] == "problem"


def test_nobody_streams_without_logging_in(world: World) -> None:
    with pytest.raises(WebSocketDisconnect), world.client().websocket_connect("/stream"):
        pass


def test_a_page_of_another_site_cannot_stream_with_our_cookie(world: World) -> None:
    client = world.client()
    client.post("/login", data={"token": world.tokens["nora"]})

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/stream", headers={"Origin": "https://x.test"}):
        pass
    with client.websocket_connect("/stream", headers={"Origin": "http://testserver"}) as socket:
        socket.send_json(START)
        assert socket.receive_json()["type"] == "ready"

"""Live analysis of one recording."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from affect_pipeline.acoustics.measure import measure_audio
from affect_pipeline.journals.decode import decode
from affect_pipeline.model.scorer import JournalScore, Scorer
from affect_pipeline.serving.app import create_app
from affect_pipeline.serving.inference import InferenceQueue, QueueClosed, QueueFull
from affect_pipeline.serving.middleware import BodyLimit
from affect_pipeline.serving.options import ServingOptions
from affect_pipeline.serving.problems import Problem
from tests.serving.audio import ogg_opus, wav
from tests.serving.conftest import World

Speech = npt.NDArray[np.float32]
ROUTE = "/analyze-vocal-health"


def post(client: TestClient, content: bytes, name: str = "voice.wav"):  # type: ignore[no-untyped-def]
    return client.post(ROUTE, files={"file": (name, content)})


def test_a_recording_is_answered_in_numbers_and_words(world: World, speech: Speech) -> None:
    body = post(world.client("nora"), wav(speech)).json()

    assert 0 <= body["depression"]["low"] <= body["depression_probability"] <= body["depression"]["high"] <= 1
    assert body["emotional_valence"] == body["valence"]["value"]
    assert body["status"] in {"typical", "elevated", "uncertain"}
    assert body["recommendation"]
    assert "not a diagnosis" in body["disclaimer"]
    assert any(phrase.startswith("pitch variability") for phrase in body["biomarkers_in_words"])
    assert body["quality"]["verdict"] in {"accepted", "warned"}
    assert len(body["model_version"]) == 64


@pytest.mark.parametrize(
    ("training", "said"),
    [({}, "learned from acted"), ({"depression": {"corpora": {"daic-woz": 1}}}, "PHQ-8 answers of those who spoke")],
)
def test_the_disclaimer_says_what_the_model_in_use_learned_from(
    world: World, speech: Speech, tiny_scorer: Scorer, training: dict[str, object], said: str
) -> None:
    scorer = copy.copy(tiny_scorer)
    scorer.affect = replace(tiny_scorer.affect, training=training)
    app = create_app(world.settings, load_scorer=lambda: scorer)

    with TestClient(app, headers=world.client("nora").headers) as client:
        assert said in post(client, wav(speech)).json()["disclaimer"]


def test_the_live_score_equals_the_nightly_one(
    world: World, speech: Speech, tmp_path: Path, tiny_scorer: Scorer
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(speech))
    [nightly] = tiny_scorer.score([measure_audio(decode(tmp_path / "a.wav")).prepared])

    live = post(world.client("nora"), wav(speech)).json()

    assert live["depression_probability"] == nightly.depression_probability
    assert live["emotional_valence"] == nightly.valence


def test_the_content_decides_the_format_whatever_the_name(world: World, speech: Speech) -> None:
    answer = post(world.client("nora"), ogg_opus(speech), "../../etc/passwd.wav")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty_file"),
        (b"<!doctype html>" * 50, "not_audio"),
        (wav(np.zeros(16_000, np.float32))[:2_000], "truncated"),
        (wav(np.zeros(160_000, np.float32)), "speech_at_least_3_s"),
        (wav(np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32)), "speech_at_least_3_s"),
    ],
)
def test_a_recording_that_cannot_be_used_is_refused_with_the_reason(world: World, content: bytes, reason: str) -> None:
    answer = post(world.client("nora"), content)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["reason"] == reason
    assert answer.json()["detail"]


def test_a_noisy_recording_says_how_noisy(world: World, speech: Speech) -> None:
    noisy = speech + np.random.default_rng(1).normal(0, 0.1, speech.size).astype(np.float32)

    body = post(world.client("nora"), wav(noisy)).json()

    assert body["reason"] == "snr_at_least_12_db"
    assert body["measured"]["snr_db"] < 12


def test_a_recording_that_is_too_long_is_refused(world: World, speech: Speech, tiny_scorer: Scorer) -> None:
    app = create_app(world.settings, load_scorer=lambda: tiny_scorer, options=ServingOptions(max_analysed_s=5))
    client = TestClient(app, headers=world.client("nora").headers)

    assert post(client, wav(speech)).json()["reason"] == "too_long"
    app.state.inference.close()


def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    announced = world.client("nora").post(ROUTE, headers={**headers, "Content-Length": "26000000"}, content=b"")
    streamed = world.client("nora").post(ROUTE, headers=headers, content=(b"x" * 1_000_000 for _ in range(30)))

    assert announced.status_code == 413
    assert streamed.status_code == 413
    assert announced.json()["type"] == "too-large"


@pytest.mark.parametrize(("announced", "most_messages"), [(b"1000000000", 0), (None, 3)])
def test_no_more_of_a_body_is_read_than_the_limit(announced: bytes | None, most_messages: int) -> None:
    n_received, answers = 0, []

    async def receive() -> Message:
        nonlocal n_received
        n_received += 1
        return {"type": "http.request", "body": b"x" * 1_000, "more_body": True}

    async def send(message: Message) -> None:
        answers.append(message)

    async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass

    headers = [] if announced is None else [(b"content-length", announced)]
    scope = {"type": "http", "path": "/analyze-vocal-health", "headers": headers}
    limited = BodyLimit(read_all, 100, 2_500, ("/analyze-vocal-health",))

    with contextlib.suppress(Problem):  # the application answers it, as it answers any other
        asyncio.run(limited(scope, receive, send))

    assert n_received == most_messages
    assert [answer["status"] for answer in answers if "status" in answer] == ([413] if announced else [])


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": "multipart/form-data"}, b"x", 422),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b--\r\n", 422),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"nonsense", 422),
    ],
)
def test_a_body_that_is_no_upload_is_refused(
    world: World, headers: dict[str, str], content: bytes, status: int
) -> None:
    assert world.client("nora").post(ROUTE, headers=headers, content=content).status_code == status


def test_requests_at_the_same_time_share_batches(world: World, speech: Speech) -> None:
    client = world.client("nora")
    alone = post(client, wav(speech)).json()

    with ThreadPoolExecutor(6) as pool:
        answers = [answer.json() for answer in pool.map(lambda _: post(client, wav(speech)), range(6))]

    assert answers == [alone] * 6


class SlowScorer:
    """A scorer that waits for leave, and remembers its batches."""

    def __init__(self, real: Scorer) -> None:
        self.real, self.leave, self.begun, self.batches = real, threading.Event(), threading.Event(), []  # type: ignore[var-annotated]
        self.digest, self.affect = real.digest, real.affect

    def score(self, audios: Sequence[npt.NDArray[np.int16]]) -> list[JournalScore]:
        self.batches.append(len(audios))
        self.begun.set()
        assert self.leave.wait(30)
        return self.real.score(audios)


AUDIO = np.ones(16_000, np.int16)


def test_what_waits_goes_through_the_model_together(tiny_scorer: Scorer) -> None:
    slow = SlowScorer(tiny_scorer)
    inference = InferenceQueue(lambda: slow, max_pending=8, max_batch=4)
    first = inference.submit(AUDIO)
    assert slow.begun.wait(30)
    others = [inference.submit(AUDIO) for _ in range(6)]

    slow.leave.set()
    scores = {future.result(30).depression_logit for future in (first, *others)}
    inference.close()

    assert slow.batches == [1, 4, 2]
    assert len(scores) == 1


def test_one_too_many_is_refused_and_a_client_that_left_costs_nothing(tiny_scorer: Scorer) -> None:
    slow = SlowScorer(tiny_scorer)
    inference = InferenceQueue(lambda: slow, max_pending=2, max_batch=4)
    first = inference.submit(AUDIO)
    assert slow.begun.wait(30)
    waiting = [inference.submit(AUDIO) for _ in range(2)]

    with pytest.raises(QueueFull):
        inference.submit(AUDIO)
    waiting[0].cancel()
    slow.leave.set()
    first.result(30)
    waiting[1].result(30)
    inference.close()

    assert slow.batches == [1, 1]


def test_others_are_answered_while_the_model_works(world: World, speech: Speech, tiny_scorer: Scorer) -> None:
    slow = SlowScorer(tiny_scorer)
    app = create_app(world.settings, load_scorer=lambda: slow)

    async def visit() -> tuple[int, bool, int]:
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {world.tokens['nora']}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            analysis = asyncio.create_task(client.post(ROUTE, files={"file": ("a.wav", wav(speech))}))
            assert await asyncio.to_thread(slow.begun.wait, 30)
            other = await client.get("/patients")
            waiting = not analysis.done()
            slow.leave.set()
            return other.status_code, waiting, (await analysis).status_code

    assert asyncio.run(visit()) == (200, True, 200)
    app.state.inference.close()


def test_a_full_queue_answers_503_with_a_time_to_wait(world: World, speech: Speech, tiny_scorer: Scorer) -> None:
    slow = SlowScorer(tiny_scorer)
    app = create_app(world.settings, load_scorer=lambda: slow, options=ServingOptions(max_pending=1))
    client = TestClient(app, headers=world.client("nora").headers)
    waiting = [app.state.inference.submit(AUDIO)]
    assert slow.begun.wait(30)
    waiting.append(app.state.inference.submit(AUDIO))

    answer = post(client, wav(speech))
    slow.leave.set()

    assert answer.status_code == 503
    assert answer.json()["type"] == "busy"
    assert int(answer.headers["retry-after"]) > 0
    assert [future.result(30) for future in waiting]
    app.state.inference.close()


def test_a_model_that_cannot_be_loaded_answers_503_and_is_not_ready(world: World, speech: Speech) -> None:
    def fail() -> Scorer:
        raise RuntimeError("no weights")

    app = create_app(world.settings, load_scorer=fail)
    client = TestClient(app, headers=world.client("nora").headers)
    app.state.inference.start()
    app.state.inference.close()

    assert post(client, wav(speech)).status_code == 503
    assert client.get("/health/ready").json()["checks"]["model"] == "failed"
    with pytest.raises(QueueClosed, match="no weights"):
        app.state.inference.submit(AUDIO)

"""``WS /stream``: audio in while somebody speaks, an estimate out about every second.

The client sends one JSON message that says what it sends (`Start`), then binary chunks, then
``{"type": "stop"}``. The server answers with JSON: ``ready``, ``estimate`` about once a second of
audio, ``final`` with the same body as ``POST /analyze-vocal-health``, or ``problem``.

A chunk is taken off the socket only when the one before has been worked in, so a client that sends
faster than the server works is slowed down by TCP and nothing piles up. The final estimate is made
from the whole recording in the way of the nightly runs, so it equals the batch score.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from affect_pipeline.serving.access import visitor_of_stream
from affect_pipeline.serving.analysis import Heard, describe, measure
from affect_pipeline.serving.analyze import calibration_of, scored
from affect_pipeline.serving.inference import InferenceQueue
from affect_pipeline.serving.listening import RunningEstimate, StreamAudio
from affect_pipeline.serving.options import ServingOptions
from affect_pipeline.serving.people import Permission
from affect_pipeline.serving.problems import Problem, busy
from affect_pipeline.serving.stream_decoders import make_decoder

if TYPE_CHECKING:
    from affect_pipeline.serving.health import ServiceMetrics

router = APIRouter()
UPDATE_S = 1.0
CLOSE_POLICY, CLOSE_TOO_BIG, CLOSE_TRY_LATER, CLOSE_BAD_DATA = 1008, 1009, 1013, 1007


class Start(BaseModel):
    """The first message of a stream: what the chunks hold."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["start"]
    encoding: Literal["pcm16", "opus", "ogg"] = Field(
        default="pcm16",
        description="pcm16: little-endian samples; opus: one packet a message; ogg: pieces of an Ogg Opus file",
    )
    sample_rate_hz: int = Field(default=16_000, ge=8_000, le=48_000, description="Of pcm16; Opus has its own.")
    n_channels: int = Field(default=1, ge=1, le=2, description="Interleaved channels.")


class OpenStreams:
    """Counts open streams and refuses more than there may be.

    Parameters
    ----------
    max_streams : int
        How many there may be.
    metrics : ServiceMetrics
        Where the number is shown.
    """

    def __init__(self, max_streams: int, metrics: ServiceMetrics) -> None:
        self.max_streams, self.metrics = max_streams, metrics

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold one place.

        Raises
        ------
        Problem
            503 if there is none.
        """
        if self.metrics.n_streams >= self.max_streams:
            raise busy(2, "Too many streams are open.")
        self.metrics.n_streams += 1
        try:
            yield
        finally:
            self.metrics.n_streams -= 1


@router.websocket("/stream")
async def stream(socket: WebSocket) -> None:
    """Follow one speaker until the client stops, goes away, or falls silent for too long."""
    try:
        await visitor_of_stream(socket, Permission.ANALYZE)
    except Problem:
        await socket.close(CLOSE_POLICY)
        return
    await socket.accept()
    try:
        with socket.app.state.streams.place():
            await _follow(socket)
    except Problem as problem:
        await _say_goodbye(socket, problem)
    except WebSocketDisconnect:
        return  # the client has gone; leaving this function frees everything it had


async def _follow(socket: WebSocket) -> None:
    options: ServingOptions = socket.app.state.options
    start = _read_start(await _next_message(socket, options))
    decoder = make_decoder(start.encoding, start.sample_rate_hz, start.n_channels, options.stream_max_s)
    audio = StreamAudio(decoder, options.stream_max_s)
    inference: InferenceQueue = socket.app.state.inference
    estimate = RunningEstimate()
    await socket.send_json({"type": "ready", "update_s": UPDATE_S, "max_s": options.stream_max_s})
    reported_s = 0.0
    while isinstance(message := await _next_message(socket, options), bytes):
        await _in_thread(socket, audio.add, message)
        if audio.duration_s - reported_s >= UPDATE_S:
            reported_s = audio.duration_s
            await socket.send_json(await _update(socket, audio, estimate, options))
    if _text_type(message) != "stop":
        raise Problem(422, "invalid-request", "The message is not valid", "Send bytes, or {'type': 'stop'}.")
    decoded = await _in_thread(socket, audio.whole)
    heard: Heard = await _in_thread(socket, measure, decoded)
    score = await scored(inference, heard.prepared, options)
    await socket.send_json({"type": "final", **describe(heard, score, calibration_of(inference))})
    await socket.close()


async def _update(
    socket: WebSocket, audio: StreamAudio, estimate: RunningEstimate, options: ServingOptions
) -> dict[str, Any]:
    """Return what can be said so far: whether somebody speaks, and the estimate once enough was said."""
    inference: InferenceQueue = socket.app.state.inference
    heard = await _in_thread(socket, audio.listen)
    for piece in heard.pieces:
        estimate.add(piece, await scored(inference, piece.prepared, options))
    running = estimate.describe(calibration_of(inference)) if estimate.ready else None
    return {
        "type": "estimate",
        "duration_s": round(audio.duration_s, 2),
        "speech_s": round(heard.speech_s, 2),
        "speaking": heard.speaking,
        "level_dbfs": heard.level_dbfs,
        "estimate": running,
    }


async def _next_message(socket: WebSocket, options: ServingOptions) -> bytes | str:
    try:
        message = await asyncio.wait_for(socket.receive(), options.stream_idle_s)
    except TimeoutError:
        detail = f"Nothing came for {options.stream_idle_s:g} seconds."
        raise Problem(408, "idle", "The stream was idle", detail) from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    data: bytes | None = message.get("bytes")
    return data if data is not None else str(message.get("text", ""))


def _read_start(message: bytes | str) -> Start:
    try:
        return Start.model_validate_json(message)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "message"
        raise Problem(422, "invalid-request", "The first message is not valid", f"{where}: {first['msg']}") from None


def _text_type(message: bytes | str) -> str:
    try:
        return str(json.loads(message).get("type", ""))
    except (ValueError, AttributeError, RecursionError):
        return ""


async def _in_thread(socket: WebSocket, work: Any, *args: Any) -> Any:
    executor = socket.app.state.decoding.executor
    return await asyncio.get_running_loop().run_in_executor(executor, work, *args)


async def _say_goodbye(socket: WebSocket, problem: Problem) -> None:
    code = {413: CLOSE_TOO_BIG, 503: CLOSE_TRY_LATER, 408: CLOSE_POLICY}.get(problem.status, CLOSE_BAD_DATA)
    try:
        await socket.send_json({"type": "problem", "problem": problem.body()})
        await socket.close(code, problem.title)
    except (WebSocketDisconnect, RuntimeError):
        return  # the client went away meanwhile

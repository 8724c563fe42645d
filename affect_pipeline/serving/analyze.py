"""``POST /analyze-vocal-health``: one recording in, an estimate with its uncertainty out."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from affect_pipeline.serving import words
from affect_pipeline.serving.access import Analyzer
from affect_pipeline.serving.analysis import Calibration, Heard, describe, hear
from affect_pipeline.serving.inference import InferenceQueue, QueueClosed, QueueFull
from affect_pipeline.serving.options import ServingOptions
from affect_pipeline.serving.problems import Problem, answers, busy
from affect_pipeline.serving.schemas import Analysis
from affect_pipeline.serving.uploads import read_upload, request_body

if TYPE_CHECKING:
    import numpy as np

    from affect_pipeline.model.scorer import JournalScore

router = APIRouter(tags=["live analysis"])


@router.post(
    "/analyze-vocal-health",
    response_model=Analysis,
    responses=answers(401, 403, 413, 415, 422, 503),
    openapi_extra=request_body(),
)
async def analyze_vocal_health(request: Request, person: Analyzer) -> Response:
    """Analyse one voice recording. Nothing of it is kept.

    The recording is decoded and measured, held to the quality contract of the nightly runs, and
    scored by the model together with whatever else is waiting. The estimate is no diagnosis;
    ``disclaimer`` says what the model learned it from.
    """
    options: ServingOptions = request.app.state.options
    inference: InferenceQueue = request.app.state.inference
    refuse_if_full(inference, options)
    upload = await read_upload(request)
    work = partial(hear, upload.content, options.max_upload_bytes, options.max_analysed_s)
    heard: Heard = await decode_somewhere(request, work)
    score = await scored(inference, heard.prepared, options)
    return Response(to_json(describe(heard, score, calibration_of(inference))), media_type="application/json")


async def decode_somewhere(request: Request, work: Any) -> Any:
    """Run decoding in the few threads set aside for it, so that neither the loop nor the pages wait.

    Raises
    ------
    Problem
        503 if too many recordings are waiting to be decoded.
    """
    options: ServingOptions = request.app.state.options
    decoding: DecodingGate = request.app.state.decoding
    with decoding.place(options):
        return await asyncio.get_running_loop().run_in_executor(decoding.executor, work)


class DecodingGate:
    """Counts recordings that are being decoded or wait for it.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        The threads that decode.
    """

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.n_inside = 0

    def place(self, options: ServingOptions) -> DecodingGate:
        """Return a context that holds one place, or refuse if there is none.

        Raises
        ------
        Problem
            503 if all are taken.
        """
        if self.n_inside >= options.max_pending:
            raise busy(options.retry_after_s)
        return self

    def __enter__(self) -> None:
        """Take the place; all of this runs in the event loop, so no lock is needed."""
        self.n_inside += 1

    def __exit__(self, *_: object) -> None:
        """Give the place back."""
        self.n_inside -= 1


async def scored(inference: InferenceQueue, audio: np.ndarray, options: ServingOptions) -> JournalScore:
    """Wait for the model's score of one recording.

    Raises
    ------
    Problem
        503 if too many recordings are waiting, or the model is not available.
    """
    try:
        waiting: Future[JournalScore] = inference.submit(audio)
        return await asyncio.wrap_future(waiting)
    except QueueFull:
        raise busy(options.retry_after_s) from None
    except QueueClosed:
        raise Problem(503, "unavailable", "The model is not available", "", {"Retry-After": "30"}) from None


def refuse_if_full(inference: InferenceQueue, options: ServingOptions) -> None:
    """Refuse before the body is read if the queue is full anyway.

    Raises
    ------
    Problem
        503.
    """
    if inference.n_waiting >= options.max_pending:
        raise busy(options.retry_after_s)


def calibration_of(inference: InferenceQueue) -> Calibration:
    """Return what the loaded model needs to be described by."""
    scorer: Any = inference.scorer
    disclaimer = words.OF_QUESTIONNAIRES if scorer.affect.taught_by else words.OF_ACTED_SPEECH
    return Calibration(scorer.digest, scorer.affect.temperature, disclaimer)

"""The application: routes, middleware, and what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

import affect_pipeline
from affect_pipeline.serving import (
    alerts,
    analyze,
    health,
    journals,
    middleware,
    overview,
    patients,
    problems,
    stream,
    words,
)
from affect_pipeline.serving.access import Identity, TokenIdentity
from affect_pipeline.serving.agreement import AgreementCache
from affect_pipeline.serving.database import Database
from affect_pipeline.serving.inference import InferenceQueue, ScoresAudio
from affect_pipeline.serving.models import champion
from affect_pipeline.serving.options import ServingOptions
from affect_pipeline.serving.pages import router as page_router
from affect_pipeline.serving.pages.problem import problem_page
from affect_pipeline.serving.sessions import SessionSigner

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from affect_pipeline.settings import Settings

BODY_BYTES = 65_536
UPLOAD_PATHS = ("/analyze-vocal-health", "/journals")
TAGS = [
    {"name": "live analysis", "description": "One recording, at once. Nothing is kept."},
    {"name": "journals", "description": "Recordings for the next night."},
    {"name": "patients", "description": "Patients you may see, and how they sound over time."},
    {"name": "alerts", "description": "Lasting departures from a patient's own baseline, and what people did."},
    {"name": "overview", "description": "Cohort, recording quality and runs, in counts."},
    {"name": "operations", "description": "Health and metrics."},
]


def create_app(
    settings: Settings,
    *,
    engine: Engine | None = None,
    load_scorer: Callable[[], ScoresAudio] | None = None,
    identity: Identity | None = None,
    options: ServingOptions | None = None,
    clock: Callable[[], datetime] = journals.utc_now,
    frame_ancestors: str = "'none'",
) -> FastAPI:
    """Build the web service.

    Nothing is reached yet: the warehouse and the model are connected when they are first needed, or
    when the server starts.

    Parameters
    ----------
    settings : Settings
        Where the warehouse, the landing zone and the registry are.
    engine : sqlalchemy.Engine, optional
        The warehouse, if it is open already.
    load_scorer : callable, optional
        Returns the scorer; by default the champion of the registry.
    identity : Identity, optional
        Who asks; by default our own login by access token.
    options : ServingOptions, optional
        Limits.
    clock : callable
        Returns the present time.
    frame_ancestors : str
        Who may show the pages in a frame (a CSP source list).

    Returns
    -------
    FastAPI
        The application; it may be mounted under any prefix.
    """
    options = options or ServingOptions()
    database = Database(settings, engine)
    signer = SessionSigner(settings.pseudonym_key(), options.session_s)
    inference = InferenceQueue(load_scorer or champion(settings), options.max_pending, options.max_batch)
    executor = ThreadPoolExecutor(options.max_decoding, thread_name_prefix="affect-decode")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        inference.start()
        yield
        inference.close()
        executor.shutdown(wait=True, cancel_futures=True)

    app = FastAPI(
        title="affect-pipeline",
        version=affect_pipeline.__version__,
        summary="How patients sound, compared with their own usual.",
        description=words.DISCLAIMER,
        lifespan=lifespan,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    metrics = health.ServiceMetrics(inference)
    app.state.settings, app.state.options, app.state.database = settings, options, database
    app.state.clock = clock
    app.state.agreement = AgreementCache()
    app.state.signer, app.state.inference, app.state.metrics = signer, inference, metrics
    app.state.decoding = analyze.DecodingGate(executor)
    app.state.identity = identity or TokenIdentity(database, signer, lambda: clock().timestamp())
    app.state.streams = stream.OpenStreams(options.max_streams, metrics)
    for module in (analyze, stream, journals, patients, alerts, overview, health):
        app.include_router(module.router)
    app.include_router(page_router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    problems.install(app, problem_page)
    app.add_middleware(middleware.BodyLimit, BODY_BYTES, options.max_upload_bytes, UPLOAD_PATHS)
    app.add_middleware(middleware.SecurityHeaders, frame_ancestors)
    app.add_middleware(health.Measured, metrics)
    return app

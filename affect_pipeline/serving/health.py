"""``/health/live``, ``/health/ready`` and ``/metrics``."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affect_pipeline.errors import AffectError
from affect_pipeline.serving.access import database_of
from affect_pipeline.serving.schemas import Health

if TYPE_CHECKING:
    from affect_pipeline.serving.inference import InferenceQueue

router = APIRouter(tags=["operations"])
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@router.get("/health/live", response_model=Health)
def live() -> Health:
    """Tell that the process answers."""
    return Health(status="ok")


@router.get(
    "/health/ready",
    response_model=Health,
    responses={503: {"model": Health, "description": "Something it needs is away; `checks` names it"}},
)
async def ready(request: Request) -> JSONResponse:
    """Tell whether the warehouse answers and the model is loaded. A model that is still loading counts as away."""
    inference: InferenceQueue = request.app.state.inference
    checks = {
        "warehouse": await run_in_threadpool(_check_warehouse, request),
        "model": "failed" if inference.failure else "ok" if inference.ready.is_set() else "loading",
    }
    good = all(state == "ok" for state in checks.values())
    body = Health(status="ok" if good else "unavailable", checks=checks)
    return JSONResponse(body.model_dump(), 200 if good else 503)


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
def metrics(request: Request) -> Response:
    """Return metrics for Prometheus. Nothing in them names a person."""
    gauges: ServiceMetrics = request.app.state.metrics
    return Response(generate_latest(gauges.registry), media_type="text/plain; version=0.0.4; charset=utf-8")


class ServiceMetrics(Collector):
    """Counters of one application; two applications in one process do not share them.

    Parameters
    ----------
    inference : InferenceQueue
        The queue that is watched.
    """

    def __init__(self, inference: InferenceQueue) -> None:
        self.inference = inference
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "affect_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "affect_request_seconds", "Time to answer", ["route"], buckets=SECONDS, registry=self.registry
        )
        self.n_streams = 0
        self.registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """Yield what is read off when somebody asks."""
        yield GaugeMetricFamily(
            "affect_waiting_recordings", "Recordings waiting for the model", self.inference.n_waiting
        )
        yield GaugeMetricFamily("affect_model_ready", "1 if the model is loaded", float(self.inference.ready.is_set()))
        yield GaugeMetricFamily("affect_open_streams", "Open WebSocket streams", self.n_streams)
        batches = GaugeMetricFamily("affect_model_batches", "Batches run, by size", labels=["size"])
        for size, count in sorted(self.inference.batch_sizes.copy().items()):
            batches.add_metric([str(size)], count)
        yield batches


class Measured:
    """Counts and times every request, by route and never by address.

    Parameters
    ----------
    app : ASGIApp
        The application inside.
    gauges : ServiceMetrics
        Where it is counted.
    """

    def __init__(self, app: ASGIApp, gauges: ServiceMetrics) -> None:
        self.app, self.gauges = app, gauges

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started_s, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.gauges.requests.labels(scope["method"], route, str(status)).inc()
            self.gauges.seconds.labels(route).observe(time.perf_counter() - started_s)


def _check_warehouse(request: Request) -> str:
    try:
        with database_of(request).as_service() as queries:
            row = queries.row("check_health")
    except AffectError:
        return "unreachable"
    return "ok" if row and row["has_schema"] else "not migrated"

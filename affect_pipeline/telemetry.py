"""Metrics of the stages through OpenTelemetry: how long they took, how much they did, what waits.

Off unless the standard variable ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``..._METRICS_ENDPOINT``) names a collector. A task
is a process that lives as long as one stage, so each stage sends what it has to say when it ends, as deltas. Sending
never fails a stage and never holds it up for longer than `timeout_s`; after one failure the process sends no more.

Attributes are names of stages, counts and queues, never of a patient, recording, clinic or file.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TIMEOUTS = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
LONGEST_S = 5.0
"""How long a stage waits for a collector, unless the standard variables say less."""

DURATION_BUCKETS_S = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800)

SHARD_QUEUES = {"shards": "shards_to_measure", "shards_to_score": "shards_to_score"}
"""Lists of a stage's result that are work for the next one."""


@dataclass(frozen=True)
class Instrument:
    """One metric.

    Parameters
    ----------
    name : str
        Name in OpenTelemetry.
    kind : str
        ``histogram``, ``counter`` or ``gauge``.
    unit : str
        Unit in UCUM; what is counted stands in braces.
    description : str
        What it says.
    """

    name: str
    kind: Literal["histogram", "counter", "gauge"]
    unit: str
    description: str


DURATION = Instrument("affect.stage.duration", "histogram", "s", "How long a stage took, by stage and outcome")
ITEMS = Instrument("affect.stage.items", "counter", "{item}", "What a stage counted, by stage and item")
QUEUE = Instrument("affect.queue.length", "gauge", "{item}", "What waits after a run, by queue")
INSTRUMENTS = (DURATION, ITEMS, QUEUE)


@dataclass(frozen=True)
class Point:
    """One value of one metric.

    Parameters
    ----------
    instrument : Instrument
        The metric.
    value : float
        The value.
    attributes : Mapping[str, str]
        What it is about.
    """

    instrument: Instrument
    value: float
    attributes: Mapping[str, str]


class _Sending:
    """Whether this process still sends; one collector that does not answer is waited for once."""

    given_up = False


def is_on() -> bool:
    """Return whether metrics are sent: a collector is named, and it has answered so far."""
    named = any(os.environ.get(name) for name in ENDPOINTS)
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return named and not disabled and not _Sending.given_up


def start_again() -> None:
    """Send again after a collector did not answer."""
    _Sending.given_up = False


def timeout_s() -> float:
    """Return how long a stage waits for the collector at most."""
    for name in TIMEOUTS:
        with suppress(KeyError, ValueError):
            return min(float(os.environ[name]), LONGEST_S)
    return LONGEST_S


def measured(stage: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that sends how long a stage took, how it ended, and the counts of its result.

    Parameters
    ----------
    stage : str
        Name of the stage.
    """

    def decorate(work: Callable[P, R]) -> Callable[P, R]:
        @wraps(work)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            started_s = time.perf_counter()
            try:
                result = work(*args, **kwargs)
            except Exception:
                send([_duration(stage, "failed", started_s)])
                raise
            send([_duration(stage, "succeeded", started_s), *_points(stage, result)])
            return result

        return timed

    return decorate


def send(points: list[Point]) -> bool:
    """Send points and wait until they have arrived, or for `timeout_s`.

    Returns
    -------
    bool
        Whether the collector took them. Nothing is raised: a run does not depend on being watched.
    """
    if not points or not is_on():
        return False
    arrived: list[bool] = []
    # Looking up a name has no timeout of its own: a thread that hangs is left behind, and ends with the process.
    thread = Thread(target=lambda: arrived.append(_export(points)), name="affect-telemetry", daemon=True)
    thread.start()
    thread.join(timeout_s())
    if arrived == [True]:
        return True
    _Sending.given_up = True
    log.warning("The collector of metrics did not answer; this process sends no more. Check %s.", ENDPOINTS[1])
    return False


def _duration(stage: str, outcome: str, started_s: float) -> Point:
    return Point(DURATION, time.perf_counter() - started_s, {"stage": stage, "outcome": outcome})


def _points(stage: str, result: Any) -> list[Point]:
    """Return what a result counted (whole numbers whose name begins with ``n_``) and what it says is waiting."""
    if not is_on() or not hasattr(result, "as_dict"):
        return []
    found = result.as_dict()
    found |= found.get("counts", {})
    items = [
        Point(ITEMS, value, {"stage": stage, "item": name.removeprefix("n_")})
        for name, value in found.items()
        if name.startswith("n_") and isinstance(value, int) and value >= 0
    ]
    waiting = {queue: len(found[name]) for name, queue in SHARD_QUEUES.items() if name in found}
    waiting |= found.get("waiting", {})
    return items + [Point(QUEUE, length, {"queue": queue}) for queue, length in waiting.items()]


def _export(points: list[Point]) -> bool:
    try:
        from opentelemetry.sdk.metrics.export import MetricExportResult

        exporter = _exporter()
        try:
            return exporter.export(_collected(points, exporter)) is MetricExportResult.SUCCESS
        finally:
            exporter.shutdown()
    except Exception:  # whatever an exporter runs into is no fault of the stage
        log.exception("Metrics could not be sent")
        return False


def _exporter() -> MetricExporter:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk import metrics
    from opentelemetry.sdk.metrics.export import AggregationTemporality

    deltas: dict[type, AggregationTemporality] = {
        metrics.Counter: AggregationTemporality.DELTA,
        metrics.Histogram: AggregationTemporality.DELTA,
    }
    return OTLPMetricExporter(timeout=timeout_s(), preferred_temporality=deltas)


def _collected(points: list[Point], exporter: MetricExporter) -> Any:
    """Return what a meter of its own makes of the points, ready to be exported."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    from affect_pipeline import __version__

    reader = InMemoryMetricReader(preferred_temporality=exporter._preferred_temporality)
    # No id of the instance: it would make a series of its own of every task.
    resource = Resource({"service.name": "affect-pipeline", "service.version": __version__})
    provider = MeterProvider([reader], resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    meter = provider.get_meter("affect_pipeline", __version__)
    made: dict[str, Any] = {}
    for point in points:
        one = point.instrument
        if one.name not in made:
            made[one.name] = _make(meter, one)
        made[one.name](point.value, dict(point.attributes))
    data = reader.get_metrics_data()
    provider.shutdown()
    return data


def _make(meter: Any, one: Instrument) -> Callable[[float, dict[str, str]], None]:
    """Return the method that notes a value of a metric."""
    words = {"unit": one.unit, "description": one.description}
    if one.kind == "counter":
        add: Callable[[float, dict[str, str]], None] = meter.create_counter(one.name, **words).add
        return add
    if one.kind == "gauge":
        keep: Callable[[float, dict[str, str]], None] = meter.create_gauge(one.name, **words).set
        return keep
    buckets = {"explicit_bucket_boundaries_advisory": list(DURATION_BUCKETS_S)}
    record: Callable[[float, dict[str, str]], None] = meter.create_histogram(one.name, **words, **buckets).record
    return record

"""Metrics of stages, sent to a collector that is real but small, or dead."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from affect_pipeline import telemetry
from affect_pipeline.telemetry import DURATION, ITEMS, QUEUE, measured

Requests = list[ExportMetricsServiceRequest]
DELTA = 1


@dataclass(frozen=True)
class Result:
    """A result as stages return them."""

    n_measured: int = 7
    shards: tuple[int, ...] = (0, 1, 2)
    patient_key: str = "0123456789abcdef0123456789abcdef"

    def as_dict(self) -> dict[str, Any]:
        return {"n_measured": self.n_measured, "shards": list(self.shards), "patient_key": self.patient_key,
                "counts": {"n_journals": 3}, "waiting": {"open_alerts": 2}, "model_digest": "f" * 64}  # fmt: skip


@measured("measure")
def work(fails: bool = False) -> Result:
    if fails:
        raise ValueError("no")
    return Result()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*telemetry.ENDPOINTS, *telemetry.TIMEOUTS, "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    telemetry.start_again()
    yield
    telemetry.start_again()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Requests]:
    received: Requests = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/metrics"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportMetricsServiceRequest.FromString(body))
            answer = ExportMetricsServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv(telemetry.ENDPOINTS[1], f"http://127.0.0.1:{server.server_port}")
        yield received
        server.shutdown()
        thread.join()


def points(request: ExportMetricsServiceRequest) -> dict[tuple[str, tuple[tuple[str, str], ...]], Any]:
    """Return the points of a request by the name of the metric and its attributes."""
    found = {}
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        data = getattr(metric, str(metric.WhichOneof("data")))
        for point in data.data_points:
            attributes = tuple(sorted((one.key, one.value.string_value) for one in point.attributes))
            found[metric.name, attributes] = (data, point)
    return found


def test_the_collector_gets_duration_counts_and_queues_of_a_stage(collector: Requests) -> None:
    assert work() == Result()

    (request,) = collector
    found = points(request)
    histogram, duration = found[DURATION.name, (("outcome", "succeeded"), ("stage", "measure"))]
    assert (duration.count, histogram.aggregation_temporality) == (1, DELTA)
    assert 0 <= duration.sum < 1
    items, measured_ = found[ITEMS.name, (("item", "measured"), ("stage", "measure"))]
    assert (measured_.as_int, items.is_monotonic, items.aggregation_temporality) == (7, True, DELTA)
    assert found[ITEMS.name, (("item", "journals"), ("stage", "measure"))][1].as_int == 3
    assert found[QUEUE.name, (("queue", "shards_to_measure"),)][1].as_int == 3
    assert found[QUEUE.name, (("queue", "open_alerts"),)][1].as_int == 2


def test_each_stage_of_a_process_sends_what_it_did_itself(collector: Requests) -> None:
    work()
    work()

    assert [points(each)[ITEMS.name, (("item", "measured"), ("stage", "measure"))][1].as_int for each in collector] == [
        7,
        7,
    ]


def test_a_stage_that_fails_is_counted_as_such_and_still_fails(collector: Requests) -> None:
    with pytest.raises(ValueError, match="no"):
        work(fails=True)

    assert list(points(collector[0])) == [(DURATION.name, (("outcome", "failed"), ("stage", "measure")))]


def test_nothing_that_identifies_anybody_is_sent(collector: Requests) -> None:
    work()

    text = str(collector[0])
    assert Result().patient_key not in text
    assert "f" * 64 not in text
    assert socket.gethostname() not in text
    resource = {one.key: one.value.string_value for one in collector[0].resource_metrics[0].resource.attributes}
    assert resource["service.name"] == "affect-pipeline"
    assert set(resource) == {"service.name", "service.version"}


def test_without_an_address_nothing_is_sent() -> None:
    assert not telemetry.is_on()
    assert work() == Result()


def test_a_collector_that_refuses_is_asked_once_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv(telemetry.ENDPOINTS[1], f"http://127.0.0.1:{port}")
    monkeypatch.setenv(telemetry.TIMEOUTS[1], "1")
    caplog.set_level(logging.WARNING, "affect_pipeline.telemetry")

    assert [work() for _ in range(3)] == [Result()] * 3

    assert not telemetry.is_on()
    assert [record.name for record in caplog.records].count("affect_pipeline.telemetry") == 1


def test_a_collector_that_hangs_holds_a_run_up_once_and_for_no_longer_than_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(telemetry.ENDPOINTS[1], f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv(telemetry.TIMEOUTS[1], "0.5")
        started_s = time.perf_counter()

        results = [work() for _ in range(4)]

        took_s = time.perf_counter() - started_s
    assert results == [Result()] * 4
    assert took_s < 4 * 0.5
    assert telemetry.timeout_s() == 0.5


def test_no_setting_makes_a_stage_wait_longer_than_five_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(telemetry.TIMEOUTS[1], "600")

    assert telemetry.timeout_s() == telemetry.LONGEST_S == 5

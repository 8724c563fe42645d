"""The dashboard asks only for metrics that something emits, and the services around it keep to the rules."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from affect_pipeline.serving.app import create_app
from affect_pipeline.settings import Settings
from affect_pipeline.stages.in_process import STAGES
from affect_pipeline.telemetry import INSTRUMENTS, SHARD_QUEUES, Instrument
from affect_pipeline.warehouse.queries import sql
from tests.docker.test_containers import DOCKER, SECRETS, SERVICE_KEYS, compose, env_example

FOLDER = DOCKER / "observability"
DASHBOARD = json.loads((FOLDER / "grafana" / "affect.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]

UNITS = {"s": "seconds", "ms": "milliseconds", "By": "bytes"}
AGGREGATIONS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "offset", "bool"}


def prometheus_names(one: Instrument) -> set[str]:
    """Return what a metric is called in Prometheus, by OpenTelemetry's rules of translation."""
    unit = UNITS.get(one.unit, "")
    assert unit or re.fullmatch(r"\{\w+\}", one.unit), one.unit
    name = one.name.replace(".", "_") + (f"_{unit}" if unit else "")
    if one.kind == "histogram":
        return {f"{name}_{part}" for part in ("bucket", "sum", "count")}
    return {f"{name}_total" if one.kind == "counter" else name}


def names_in(expression: str) -> set[str]:
    """Return the metrics that a PromQL expression asks for."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]', "", expression)
    bare = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", "", bare)
    found = re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*(?!\w)(?!\s*\()", bare)
    return set(found) - AGGREGATIONS


def airflow_names() -> set[str]:
    """Return the gauges and counters of the installed Airflow, by the list it keeps of its own metrics."""
    (airflow,) = find_spec("airflow").submodule_search_locations  # type: ignore[union-attr, misc]
    listed = yaml.safe_load((Path(airflow) / "_shared/observability/metrics/metrics_template.yaml").read_text())
    suffix = {"gauge": "", "counter": "_total"}
    return {
        f"airflow_{one['name'].replace('.', '_')}{suffix[one['type']]}"
        for one in listed["metrics"]
        if one["type"] in suffix
    }


@pytest.fixture(scope="module")
def serving_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return what the web service shows at ``/metrics`` after a request."""
    app = create_app(Settings(home=tmp_path_factory.mktemp("serving")))
    client = TestClient(app)
    client.get("/healthz")
    text = client.get("/metrics").text
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


def test_every_metric_of_the_dashboard_is_one_that_is_emitted(serving_names: set[str]) -> None:
    ours = set().union(*map(prometheus_names, INSTRUMENTS))
    asked = set().union(*map(names_in, EXPRESSIONS))

    assert asked <= ours | airflow_names() | serving_names
    assert {name for name in asked if name.startswith("affect_stage")} <= ours
    assert "affect_queue_length" in asked


def test_names_are_translated_as_prometheus_translates_them() -> None:
    assert set().union(*map(prometheus_names, INSTRUMENTS)) == {
        "affect_stage_duration_seconds_bucket", "affect_stage_duration_seconds_sum",
        "affect_stage_duration_seconds_count", "affect_stage_items_total", "affect_queue_length",
    }  # fmt: skip
    assert names_in('histogram_quantile(0.95, sum by (le) (rate(a_b{c="d"}[5m]))) / on (x) e:f') == {"a_b", "e:f"}


def test_labels_that_are_asked_for_are_ones_that_stages_send() -> None:
    items = set(re.findall(r"AS n_(\w+)", sql("publish/summarise_range"))) | {"population_shifts"}
    asked = re.findall(r'(\w+)=~?"([^"]*)"', " ".join(EXPRESSIONS))

    known = {"stage": set(STAGES), "outcome": {"succeeded", "failed"}, "item": items}
    assert {label for label, _ in asked} == set(known)
    for label, values in asked:
        assert set(values.split("|")) <= known[label]
    assert set(SHARD_QUEUES.values()) == {"shards_to_measure", "shards_to_score"}


def test_the_dashboard_is_whole() -> None:
    panels = DASHBOARD["panels"]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)
    sources = yaml.safe_load((FOLDER / "grafana" / "datasources.yaml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"] for source in sources}


def test_the_services_keep_to_the_rules_of_the_others() -> None:
    content: dict[str, Any] = compose("compose.observability.yaml")
    added = {"collector", "prometheus", "grafana"}

    assert set(content) <= {"x-measured", "services", "volumes"}
    assert set(content["services"]) - added <= set(compose()["services"])
    for name, service in content["services"].items():
        assert set(service) <= SERVICE_KEYS | {"extra_hosts"}
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        if name in added:
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in content["volumes"] or (DOCKER / source).is_file(), source
        for variable, value in service.get("environment", {}).items():
            assert not SECRETS.search(variable) or "${" in value
    needed = set(re.findall(r"\$\{(\w+):\?", (DOCKER / "compose.observability.yaml").read_text()))
    assert needed <= set(env_example())


def test_what_measures_sends_to_the_collector_and_prometheus_asks_it() -> None:
    content = compose("compose.observability.yaml")["services"]
    collector = yaml.safe_load((FOLDER / "collector.yaml").read_text())
    prometheus = yaml.safe_load((FOLDER / "prometheus.yaml").read_text())

    port = collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rsplit(":")[-1]
    for name in ("scheduler", "worker-cpu", "worker-gpu"):
        assert content[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://collector:{port}"
    exported = collector["exporters"]["prometheus"]["endpoint"].rsplit(":")[-1]
    targets = [one for job in prometheus["scrape_configs"] for one in job["static_configs"][0]["targets"]]
    assert f"collector:{exported}" in targets
    pipeline = collector["service"]["pipelines"]["metrics"]
    for part in ("receivers", "processors", "exporters"):
        assert set(pipeline[part]) <= set(collector[part])

"""The API keeps to its own OpenAPI, whatever is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.serving.conftest import World

pytestmark = pytest.mark.slow
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_no_answer_is_undocumented_or_an_error_of_ours(own_world: World) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", own_world.app)
    headers = {"Authorization": f"Bearer {own_world.tokens['ada']}"}
    tried: set[str] = set()

    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=8, deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def keeps_its_word(case: schemathesis.Case) -> None:
            tried.add(case.path)
            case.validate_response(case.call(headers=headers), checks=CHECKS)

        keeps_its_word()

    assert len(tried) >= 14


def test_every_route_has_a_summary_and_documents_who_may_not(world: World) -> None:
    paths = world.client().get("/openapi.json").json()["paths"]

    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["summary"], path
            if not path.startswith(("/health", "/metrics")):
                assert {"401", "403"} <= set(operation["responses"]), path
    assert len(paths) >= 14

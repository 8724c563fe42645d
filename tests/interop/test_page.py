"""The page on interoperability shows what the command prints."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from affect_pipeline.cli import build
from affect_pipeline.interop.codes import ROOT
from affect_pipeline.interop.examples import EXAMPLES

PAGE = (Path(__file__).parents[2] / "docs" / "interoperability.md").read_text(encoding="utf-8")


def shown(name: str) -> Any:
    match = re.search(rf"^```json {name}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert match
    return json.loads(match[1])


def printed(name: str) -> list[Any]:
    done = CliRunner().invoke(build(), ["interop", "fhir-example", name])
    assert done.exit_code == 0
    decoder, rest, found = json.JSONDecoder(), done.stdout, []
    while rest:
        resource, end = decoder.raw_decode(rest)
        found.append(resource)
        rest = rest[end:].lstrip()
    return found


def test_the_examples_are_what_the_command_prints() -> None:
    assert [shown("absent")] == printed("absent")
    assert shown("component") == printed("score")[-1]["component"][0]
    assert ROOT in PAGE


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_prints(name: str) -> None:
    assert printed(name) == EXAMPLES[name]()


def test_the_page_calls_the_data_what_it_is() -> None:
    assert "pseudonymised PHI" in PAGE
    assert "acted affect" in PAGE
    assert "de-identified" not in PAGE.lower()

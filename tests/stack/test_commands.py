"""The commands of the local stack, as a person runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def affect(*arguments: str, home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ, AFFECT_HOME=str(home), COLUMNS="300", **settings)
    command = [sys.executable, "-m", "affect_pipeline.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_doctor_is_content_with_a_fresh_installation(tmp_path: Path) -> None:
    done = affect("doctor", home=tmp_path / "home")

    assert done.returncode == 0, done.stderr
    assert "broken" not in done.stdout


def test_the_doctor_ends_with_an_error_when_something_is_broken(tmp_path: Path) -> None:
    done = affect("doctor", home=tmp_path / "home", AFFECT_PSEUDONYM_SECRET="0123456789abcdef")

    assert done.returncode == 1
    assert "broken" in done.stdout
    assert "openssl rand -hex 32" in done.stdout
    assert "0123456789abcdef" not in done.stdout


@pytest.mark.parametrize("arguments", [("run", "tonight"), ("backfill", "2026-01-07", "2026-01-05")])
def test_nights_that_make_no_sense_are_refused_without_a_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = affect(*arguments, home=tmp_path / "home")

    assert done.returncode == 1
    assert done.stderr.startswith("SettingsError: ")
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()

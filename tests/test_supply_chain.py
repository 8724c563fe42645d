"""What we are made of can be listed, may be passed on, and is compared with known holes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from affect_pipeline.supply_chain import Package, known_holes, runtime_packages, sbom

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def packages() -> list[Package]:
    return runtime_packages()


def test_no_runtime_package_is_under_the_gpl_only_and_all_say_what_they_are_under(packages: list[Package]) -> None:
    assert [package.name for package in packages if package.is_gpl] == []
    assert [package.name for package in packages if not package.licences] == []


def test_packages_that_are_needed_through_others_are_found(packages: list[Package]) -> None:
    names = {package.name for package in packages}
    assert {"affect-pipeline", "apache-airflow", "torch", "cryptography", "psycopg-binary"} <= names
    assert "pytest" not in names


@pytest.mark.parametrize(
    ("licences", "is_gpl"),
    [
        (("GPL-3.0-only",), True),
        (("GNU General Public License v2 or later (GPLv2+)",), True),
        (("AGPL-3.0",), True),
        (("LGPL-3.0-only",), False),
        (("GNU Library or Lesser General Public License (LGPL)",), False),
        (("Artistic License", "GNU General Public License (GPL)"), False),
        (("Apache-2.0",), False),
    ],
)
def test_the_gpl_is_told_from_the_lgpl_and_from_a_choice(licences: tuple[str, ...], is_gpl: bool) -> None:
    assert Package("x", "1", licences, ()).is_gpl is is_gpl


def test_the_bill_of_materials_names_each_package_once_and_is_the_same_each_time(packages: list[Package]) -> None:
    document = sbom(packages)
    references = [component["bom-ref"] for component in document["components"]]

    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.5")
    assert len(references) == len(set(references)) == len(packages) - 1
    assert {one for entry in document["dependencies"] for one in entry["dependsOn"]} <= {
        *references, document["metadata"]["component"]["bom-ref"],
    }  # fmt: skip
    assert sbom(runtime_packages()) == document


def test_what_is_installed_at_run_time_is_what_the_lock_says(packages: list[Package]) -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = dict(line.split(" ")[0].split("==") for line in lines if "==" in line and not line.startswith((" ", "#")))
    installed = {package.name: package.version.partition("+")[0] for package in packages if package.name in locked}

    assert len(installed) > 100
    assert {name: locked[name].partition("+")[0] for name in installed} == installed


@pytest.mark.parametrize(
    ("affected", "is_hit"),
    [
        ({"versions": ["1.5"]}, True),
        ({"versions": ["1.4"]}, False),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.6"}]}]}, True),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.5"}]}]}, False),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"last_affected": "1.5"}]}]}, True),
        ({"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.6"}]}]}, False),
    ],
)
def test_a_known_hole_is_found_by_version_or_range(tmp_path: Path, affected: dict[str, object], is_hit: bool) -> None:
    record = {"id": "PYSEC-1", "affected": [affected | {"package": {"ecosystem": "PyPI", "name": "Some_Thing"}}]}
    (tmp_path / "PYSEC-1.json").write_text(json.dumps(record))

    found = known_holes([Package("some-thing", "1.5", ("MIT",), ())], tmp_path)

    assert bool(found) is is_hit


def test_bandit_finds_nothing_of_medium_severity_or_worse() -> None:
    command = [sys.executable, "-m", "bandit", "-q", "-ll", "-ii", "-r", "affect_pipeline", "dags", "plugins"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout

"""A small cohort, installations to run it through, and one local stack that all its tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from affect_pipeline.nights import Nights
from affect_pipeline.settings import Settings
from affect_pipeline.simulate.run import simulate
from affect_pipeline.simulate.truth import Truth, read_truth
from affect_pipeline.warehouse.engine import connect
from affect_pipeline.warehouse.hash import table_hashes
from tests.conftest import WarehouseMaker
from tests.model.registries import copy_registry, registry_template

__all__ = ["registry_template"]

N_PATIENTS, N_DAYS, SEED = 3, 36, 3
"""Long enough for baselines to be ready, with alerts that are raised in the last nights."""

N_LAST = 4
"""Nights at the end of the cohort that tests run in different orders."""

SECRET = "a secret that all installations of these tests share"
"""So that a patient has the same key in all of them, and their tables can be compared."""

Installation = Callable[[str], Settings]


class SmallCohort:
    """A landing zone with journals, and the truth about them."""

    def __init__(self, folder: Path) -> None:
        self.landing = folder / "landing"
        self.truth_path = folder / "truth.json"
        simulate(
            n_patients=N_PATIENTS,
            n_days=N_DAYS,
            seed=SEED,
            landing_url=str(self.landing),
            truth_path=self.truth_path,
        )
        self.truth: Truth = read_truth(self.truth_path)
        self.nights = self.truth.nights

    @property
    def last_nights(self) -> list[Nights]:
        """The last nights, one range each."""
        return [Nights.one(night) for night in list(self.nights)[-N_LAST:]]

    @property
    def history(self) -> Nights:
        """All nights before those."""
        return Nights(self.nights.first, list(self.nights)[-N_LAST - 1])

    @property
    def source_ids(self) -> set[str]:
        """The identifiers that must not be found anywhere but in the landing zone."""
        return {patient.source_id for patient in self.truth.patients}


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> SmallCohort:
    return SmallCohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="session")
def installation(
    cohort: SmallCohort,
    new_warehouse: WarehouseMaker,
    registry_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Installation:
    """Return a function that makes an installation of its own: an empty warehouse, a registry with a champion."""

    def make(name: str) -> Settings:
        settings = new_warehouse(tmp_path_factory.mktemp(name) / "home")
        return copy_registry(registry_template, settings).model_copy(
            update={"landing_url": str(cohort.landing), "pseudonym_secret": _secret()}
        )

    return make


def _secret() -> object:
    from pydantic import SecretStr

    return SecretStr(SECRET)


def content(settings: Settings) -> dict[str, tuple[int, str]]:
    """Return the number of rows and the hash of each table of an installation's warehouse."""
    return {row.table: (row.n_rows, row.digest) for row in table_hashes(connect(settings))}

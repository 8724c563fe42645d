"""A small made-up warehouse, people of every role, and the application on top of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from affect_pipeline.bench.warehouse_rows import MadeUp, fill
from affect_pipeline.model.encoder import tiny_encoder
from affect_pipeline.model.scorer import Scorer
from affect_pipeline.serving.app import create_app
from affect_pipeline.serving.database import Database
from affect_pipeline.serving.people import Person, add_person, new_token
from affect_pipeline.settings import Settings
from affect_pipeline.warehouse.engine import connect

MADE_UP = MadeUp(n_patients=24, n_days=70)
SMALL = MadeUp(n_patients=24, n_days=70, channels=("depression",))
NOW = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
PEOPLE = (
    Person("nora", "Nora North", "counselor", ("north",)),
    Person("sam", "Sam South", "counselor", ("south",)),
    Person("ana", "Ana Lyst", "analyst"),
    Person("ada", "Ada Min", "admin"),
)


@dataclass(frozen=True)
class World:
    """The application over a filled warehouse, and a token for everybody."""

    app: FastAPI
    settings: Settings
    database: Database
    tokens: dict[str, str]

    def client(self, login: str | None = None) -> TestClient:
        """Return a client; `login` sends that person's token, None sends nothing."""
        headers = {"Authorization": f"Bearer {self.tokens[login]}"} if login else {}
        return TestClient(self.app, headers=headers, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-model")
    tiny_encoder().save(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_scorer(tiny_model: Path) -> Scorer:
    return Scorer(tiny_model, threads=1)


def make_world(settings: Settings, scorer: Scorer, made_up: MadeUp) -> World:
    """Fill a warehouse and put the application on top; the registry is one without models."""
    settings = settings.model_copy(update={"mlflow_uri": f"sqlite:///{settings.home}/mlflow.db"})
    settings.home.mkdir(parents=True, exist_ok=True)
    fill(connect(settings), made_up)
    database = Database(settings)
    for person in PEOPLE:
        add_person(database, person)
    tokens = {person.login: new_token(database, person.login) for person in PEOPLE}
    tokens["uploader"] = new_token(database, "ada", scope="upload")
    app = create_app(settings, load_scorer=lambda: scorer, clock=lambda: NOW)
    app.state.inference.start()
    assert app.state.inference.ready.wait(30)
    return World(app, settings, database, tokens)


@pytest.fixture(scope="package")
def world(
    new_warehouse: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory, tiny_scorer: Scorer
) -> Iterator[World]:
    """Return an application that tests only read from."""
    made = make_world(new_warehouse(tmp_path_factory.mktemp("serving") / "home"), tiny_scorer, MADE_UP)
    yield made
    made.app.state.inference.close()
    made.app.state.decoding.executor.shutdown()


@pytest.fixture
def own_world(new_warehouse: Callable[[Path], Settings], tmp_path: Path, tiny_scorer: Scorer) -> Iterator[World]:
    """Return an application of the test's own, to change things in."""
    made = make_world(new_warehouse(tmp_path / "home"), tiny_scorer, SMALL)
    yield made
    made.app.state.inference.close()
    made.app.state.decoding.executor.shutdown()


@pytest.fixture(scope="session")
def speech() -> npt.NDArray[np.float32]:
    """Return about twelve seconds of synthesised speech with pauses, 16 kHz."""
    from affect_pipeline.simulate.sources import packaged_voices

    source = packaged_voices()
    speaker = source.utterances[0].speaker
    parts = [source.load(one) for one in source.utterances if one.speaker == speaker][:8]
    noise = np.random.default_rng(0)
    gap = np.zeros(4_800, np.float32)
    joined = np.concatenate([piece for part in parts for piece in (part, gap)])[: 12 * 16_000]
    return (joined + noise.normal(0, 1e-3, joined.size)).astype(np.float32)

"""What all tests share: settings in a fresh folder, and a real PostgreSQL with a fresh warehouse.

- ``settings``: settings whose home is a new temporary folder; nothing is started.
- ``warehouse``: engine of a fresh, migrated, empty warehouse, one a test.
- ``warehouse_settings``: settings that point at that warehouse (``connect(warehouse_settings)`` is ``warehouse``).
- ``module_warehouse``: the same, one a module, for rows that are costly to load and that tests only read.
- ``new_warehouse``: makes further ones.

``AFFECT_TEST_SERVER`` (a superuser's URL) runs them on another PostgreSQL than the embedded one, such as an older one.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest
import sqlalchemy as sa

from affect_pipeline.settings import Settings
from affect_pipeline.warehouse import engine
from affect_pipeline.warehouse.embedded import embedded_server, stop
from affect_pipeline.warehouse.engine import connect, disconnect
from affect_pipeline.warehouse.migrate import migrate

TEMPLATE = "affect_tests"
OTHER_SERVER = os.environ.get("AFFECT_TEST_SERVER")


class Server(Protocol):
    """A PostgreSQL server to make warehouses on."""

    def url(self, database: str = "affect") -> str:
        """Return the URL of one of its databases."""
        ...


class OtherServer:
    """A server that was there before the tests."""

    def url(self, database: str = "affect") -> str:
        url = sa.make_url(str(OTHER_SERVER)).set(drivername="postgresql+psycopg", database=database)
        return url.render_as_string(hide_password=False)


def pytest_configure() -> None:
    """Keep the settings of whoever runs the tests out of them, and the speed of the machine."""
    hypothesis.settings.register_profile("any machine", deadline=None)
    hypothesis.settings.load_profile("any machine")
    for name in list(os.environ):
        if name.startswith("AFFECT_") and name != "AFFECT_CORPORA":
            del os.environ[name]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One server for the session; its database ``affect_tests`` is migrated and serves as the template."""
    with tempfile.TemporaryDirectory(prefix="affect-tests-") as folder:
        settings = Settings(home=Path(folder))
        server: Server = OtherServer() if OTHER_SERVER else embedded_server(settings)
        with administrator(server).connect() as connection:
            if not OTHER_SERVER:
                for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # tests may lose their data
                    connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
                connection.exec_driver_sql("SELECT pg_reload_conf()")
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {TEMPLATE}")
            connection.exec_driver_sql(f"CREATE DATABASE {TEMPLATE}")
        template = settings.model_copy(update={"warehouse_url": server.url(TEMPLATE)})
        migrate(connect(template))
        disconnect(template)
        yield server
        stop(settings)


def administrator(server: Server) -> sa.Engine:
    """Return an engine that makes and drops databases."""
    return sa.create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)


WarehouseMaker = Callable[[Path], Settings]


@pytest.fixture(scope="session")
def calibration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the limits of charts. Making them is deterministic and takes seconds, so all tests share them."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "calibration"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def new_warehouse(postgres_server: Server, calibration: Path) -> Iterator[WarehouseMaker]:
    """Return a function that makes a fresh warehouse and returns settings with the given home that point at it."""
    numbers = itertools.count(1)
    made: list[Settings] = []

    def make(home: Path) -> Settings:
        name = f"{TEMPLATE}_{os.getpid()}_{next(numbers)}"
        with administrator(postgres_server).connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
        home.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            (home / "calibration").symlink_to(calibration)
        made.append(Settings(home=home, warehouse_url=postgres_server.url(name)))
        return made[-1]

    yield make
    for settings in made:
        _drop(settings)


@pytest.fixture(autouse=True, scope="module")
def no_connections_left() -> Iterator[None]:
    """Close what the tests of a module leave open: the server takes two hundred connections."""
    yield
    for left in list(engine._engines.values()):
        left.dispose()


@pytest.fixture
def warehouse_settings(new_warehouse: WarehouseMaker, tmp_path: Path) -> Iterator[Settings]:
    made = new_warehouse(tmp_path / "home")
    yield made
    _drop(made)


@pytest.fixture
def warehouse(warehouse_settings: Settings) -> sa.Engine:
    return connect(warehouse_settings)


@pytest.fixture(scope="module")
def module_warehouse(new_warehouse: WarehouseMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    made = new_warehouse(tmp_path_factory.mktemp("module") / "home")
    yield connect(made)
    _drop(made)


def _drop(settings: Settings) -> None:
    disconnect(settings)
    url = sa.make_url(settings.warehouse_url)
    engine = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {url.database} WITH (FORCE)")

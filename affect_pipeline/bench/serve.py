"""Load on the web service: live analysis, pages over a large warehouse, idle streams.

The server runs in a process of its own, as ``affect serve`` starts it; this process plays the clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from affect_pipeline.bench.warehouse_rows import CURVES, MadeUp, fill
from affect_pipeline.settings import Settings

JOURNAL_S = 10
BATCH_ROUNDS = 3
CLINICS = ("north", "south", "harbour")
RATE_HZ = 16_000
START_S = 180.0
LOGIN = "load-test"


@dataclass(frozen=True)
class Load:
    """How much is asked of the service.

    Parameters
    ----------
    n_patients, n_days : int
        Size of the made-up warehouse.
    n_channels : int
        Channels that are filled, out of eight.
    n_clients : int
        Clients that send recordings at the same time.
    n_recordings : int
        Recordings they send in all.
    n_pages : int
        Requests of each page.
    n_streams : int
        Idle WebSockets.
    seed : int
        Draws which patients are looked at.
    """

    n_patients: int = 10_000
    n_days: int = 1_095
    n_channels: int = 8
    n_clients: int = 16
    n_recordings: int = 160
    n_pages: int = 200
    n_streams: int = 200
    seed: int = 1


QUICK = Load(n_patients=60, n_days=60, n_channels=1, n_clients=4, n_recordings=8, n_pages=10, n_streams=10)


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Parameters
    ----------
    what, unit : str
        What was measured, and in what.
    value : float
        The measurement.
    target : float or None
        What it is held against.
    bound : str
        ``at most`` or ``at least``: how.
    """

    what: str
    value: float
    unit: str
    target: float | None = None
    bound: Literal["at most", "at least"] = "at most"

    @property
    def met(self) -> bool | None:
        """Whether the target was met; None where there is none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.bound == "at most" else self.value >= self.target


@dataclass(frozen=True)
class Batch:
    """What the nightly path does with the recordings that the clients send.

    Parameters
    ----------
    scoring_per_s : float
        Recordings a second of the batch scorer alone, the recordings being decoded, measured and prepared already.
    everything_per_s : float
        Recordings a second if they are decoded, measured and scored, one after the other.
    """

    scoring_per_s: float
    everything_per_s: float

    def figures(self) -> list[Figure]:
        """Return both as lines of the table."""
        return [
            Figure("batch scorer alone", self.scoring_per_s, "journals/s"),
            Figure("decode, measure and score, one after the other", self.everything_per_s, "journals/s"),
        ]


def measure(
    load: Load, model_dir: Path | None = None, progress: Callable[[str], None] = lambda _: None
) -> list[Figure]:
    """Fill a warehouse, start the service, and measure it.

    Parameters
    ----------
    load : Load
        How much is asked.
    model_dir : Path, optional
        Model folder; by default the one that ships with the package.
    progress : callable
        Is told what is being done.

    Returns
    -------
    list of Figure
        In the order they were measured.
    """
    from affect_pipeline.model.encoder import default_model_dir
    from affect_pipeline.serving.database import Database
    from affect_pipeline.serving.people import Person, add_person, new_token
    from affect_pipeline.warehouse.embedded import stop
    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrate

    model = model_dir or default_model_dir()
    recordings = list(islice(_usable_journals(load.seed), load.n_clients))
    progress("batch scorer")
    batch = _batch(model, recordings)
    figures = batch.figures()
    with tempfile.TemporaryDirectory(prefix="affect-load-") as folder:
        settings = Settings(home=Path(folder))
        engine = connect(settings)
        migrate(engine)
        figures += _fill(engine, load, progress)
        database = Database(settings, engine)
        add_person(database, Person(LOGIN, "Load test", "counselor", CLINICS))
        token = new_token(database, LOGIN)
        with _server(settings, model) as (address, pid):
            progress("clients")
            figures += asyncio.run(_clients(load, address, token, pid=pid, recordings=recordings, batch=batch))
        stop(settings)
    return figures


def rows(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return the figures with all that is known of them, for programs."""
    return [{**asdict(figure), "met": figure.met} for figure in figures]


def lines(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    """Return the figures as lines of a printed table."""
    return [
        {
            "what": figure.what,
            "measured": figure.value,
            "unit": figure.unit,
            "target": "-" if figure.target is None else f"{figure.bound} {figure.target:g}",
            "met": {True: "yes", False: "no", None: "-"}[figure.met],
        }
        for figure in figures
    ]


def _fill(engine: sa.Engine, load: Load, progress: Callable[[str], None]) -> list[Figure]:
    from affect_pipeline.warehouse.queries import sql

    made_up = MadeUp(load.n_patients, load.n_days, seed=load.seed, channels=tuple(CURVES)[: load.n_channels])
    started_s = time.perf_counter()
    fill(engine, made_up, progress, throw_away=True)
    took_s = time.perf_counter() - started_s
    with engine.connect() as connection:
        size = connection.execute(sa.text(sql("bench/measure_warehouse"))).one()
    return [
        Figure("warehouse: recordings", float(size.n_journals), "rows"),
        Figure("warehouse: size", size.n_bytes / 1e9, "GB"),
        Figure("warehouse: filled in", took_s, "s"),
    ]


def _batch(model: Path, recordings: list[bytes]) -> Batch:
    """Measure what the nightly path does with the same recordings: scoring alone, and decoding to score."""
    from affect_pipeline.journals.decode import decode
    from affect_pipeline.model.scorer import Scorer
    from affect_pipeline.serving.analysis import measure as hear

    scorer = Scorer(model)
    with tempfile.TemporaryDirectory(prefix="affect-load-") as folder:
        paths = [Path(folder) / f"{n}.wav" for n in range(len(recordings))]
        for path, content in zip(paths, recordings, strict=True):
            path.write_bytes(content)
        scorer.score([hear(decode(path)).prepared for path in paths])  # warm up
        heard_s, scored_s = [], []
        for _ in range(BATCH_ROUNDS):
            started_s = time.perf_counter()
            heard = [hear(decode(path)) for path in paths]
            heard_s.append(time.perf_counter() - started_s)
            started_s = time.perf_counter()
            scorer.score([one.prepared for one in heard])
            scored_s.append(time.perf_counter() - started_s)
    # The best round of each: what the service is held against is not made easier by a busy machine.
    return Batch(len(recordings) / min(scored_s), len(recordings) / (min(heard_s) + min(scored_s)))


async def _clients(
    load: Load, address: str, token: str, *, pid: int, recordings: list[bytes], batch: Batch
) -> list[Figure]:
    import httpx

    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=load.n_clients)
    async with httpx.AsyncClient(
        base_url=address, headers=headers, timeout=300, limits=limits, trust_env=False
    ) as client:
        return [
            *await _analysis(client, load, recordings, batch),
            *await _pages(client, load),
            *await _idle_streams(load, address, headers, pid),
        ]


async def _analysis(client: Any, load: Load, recordings: list[bytes], batch: Batch) -> list[Figure]:
    async def send(n: int) -> None:
        answer = await client.post("/analyze-vocal-health", files={"file": ("a.wav", recordings[n % len(recordings)])})
        answer.raise_for_status()

    await _timed(send, range(load.n_clients), load.n_clients)  # warm up
    started_s = time.perf_counter()
    times_s = await _timed(send, range(load.n_recordings), load.n_clients)
    per_s = load.n_recordings / (time.perf_counter() - started_s)
    ideal_s = load.n_clients / batch.scoring_per_s
    return [
        Figure(f"live analysis, {load.n_clients} clients", per_s, "journals/s"),
        Figure("live analysis, share of the batch scorer alone", per_s / batch.scoring_per_s, "ratio", 0.8, "at least"),
        Figure("live analysis, share of decode, measure and score", per_s / batch.everything_per_s, "ratio"),
        Figure("live analysis, p95", _p95(times_s), "s"),
        Figure("live analysis, p95 against ideal queueing", _p95(times_s) / ideal_s, "ratio", 2.0),
    ]


async def _pages(client: Any, load: Load) -> list[Figure]:
    chance = random.Random(load.seed)  # noqa: S311 - draws which patients are looked at
    keys = []
    for _ in range(load.n_pages):
        prefix = f"{chance.randrange(256):02x}"
        found = (await client.get("/patients", params={"key_prefix": prefix, "limit": 20})).json()["patients"]
        keys += [chance.choice(found)["patient_key"]] if found else []
    wanted = {
        "trend page": (0.1, [f"/dashboard/patients/{key}" for key in keys]),
        "trend, JSON": (0.1, [f"/patients/{key}/trend" for key in keys]),
        "chart of a trend": (None, [f"/dashboard/patients/{key}/charts/trend.json" for key in keys]),
        "alert list page": (0.15, ["/dashboard"] * load.n_pages),
        "alert list, JSON": (0.15, ["/alerts"] * load.n_pages),
    }
    figures = []
    for name, (target, paths) in wanted.items():

        async def get(n: int, paths: list[str] = paths) -> None:
            answer = await client.get(paths[n])
            if answer.status_code != 404:  # a patient without any usable recording has no chart
                answer.raise_for_status()

        await _timed(get, range(min(5, len(paths))), 1)
        times_s = await _timed(get, range(len(paths)), 1)
        figures.append(Figure(f"{name}, p95", _p95(times_s), "s", target))
    return figures


async def _idle_streams(load: Load, address: str, headers: dict[str, str], pid: int) -> list[Figure]:
    from websockets.asyncio.client import connect

    before = _resident_mb(pid)
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(load.n_streams):
            url = f"{address.replace('http', 'ws')}/stream"
            socket_ = await stack.enter_async_context(connect(url, additional_headers=headers, proxy=None))
            await socket_.send('{"type": "start"}')
            await socket_.recv()
        grown = _resident_mb(pid) - before
    return [Figure(f"{load.n_streams} idle streams", grown, "MB", 200.0)]


async def _timed(work: Callable[[int], Awaitable[None]], numbers: range, n_at_once: int) -> list[float]:
    """Do work from several clients, each one piece after the other; return how long each piece took."""
    waiting = iter(numbers)
    times_s: list[float] = []

    async def client() -> None:
        for n in waiting:
            started_s = time.perf_counter()
            await work(n)
            times_s.append(time.perf_counter() - started_s)

    await asyncio.gather(*(client() for _ in range(n_at_once)))
    return times_s


@contextlib.contextmanager
def _server(settings: Settings, model: Path) -> Iterator[tuple[str, int]]:
    """Run ``affect serve`` over a home, and wait until it is ready."""
    import httpx

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "affect_pipeline.cli", "serve", "--port", str(port), "--model-dir", str(model)]
    environment = {**os.environ, "AFFECT_HOME": str(settings.home)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            _await_ready(lambda: httpx.get(f"{address}/health/ready", timeout=30, trust_env=False).status_code, process)
            yield address, process.pid
        finally:
            process.terminate()


def _await_ready(ask: Callable[[], int], process: subprocess.Popen[bytes]) -> None:
    import httpx

    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if ask() == 200:
                return
        time.sleep(0.2)
    raise TimeoutError(f"the service was not ready within {START_S:g} s; it says why on standard error")


def _usable_journals(seed: int) -> Iterator[bytes]:
    """Yield recordings that the quality contract lets through: a refused one would cost the service next to nothing."""
    from affect_pipeline.journals.decode import decode
    from affect_pipeline.serving.analysis import measure as hear
    from affect_pipeline.serving.problems import Problem

    for n in count(seed):
        content = _journal(n)
        with tempfile.NamedTemporaryFile(suffix=".wav") as file, contextlib.suppress(Problem):
            file.write(content)
            file.flush()
            hear(decode(Path(file.name)))
            yield content


def _journal(seed: int) -> bytes:
    """Return a ten-second recording in one of the packaged voices, as WAV."""
    import soundfile

    from affect_pipeline.simulate.sources import packaged_voices

    source = packaged_voices()
    random_ = np.random.default_rng(seed)
    speakers = sorted(source.speakers)
    speaker = speakers[seed % len(speakers)]
    parts: list[npt.NDArray[np.float32]] = []
    said = [one for one in source.utterances if one.speaker == speaker]
    while sum(part.size for part in parts) < JOURNAL_S * RATE_HZ:
        parts += [source.load(said[int(random_.integers(len(said)))]), np.zeros(RATE_HZ // 4, np.float32)]
    samples = np.concatenate(parts)[: JOURNAL_S * RATE_HZ] + random_.normal(0, 1e-3, JOURNAL_S * RATE_HZ)
    out = io.BytesIO()
    soundfile.write(out, samples, RATE_HZ, subtype="PCM_16", format="WAV")
    return out.getvalue()


def _resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _p95(times_s: Sequence[float]) -> float:
    return float(np.percentile(times_s, 95))

"""The scorer of live analysis: on PyTorch, or on ONNX where that was written, can be trusted, and is faster here.

What is stored at night is always scored by PyTorch: its bits are part of what a night promises.
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affect_pipeline.errors import ModelError
from affect_pipeline.model.onnx_network import OnnxForward, usual_file, verify_onnx
from affect_pipeline.model.runners import SoloRunner
from affect_pipeline.model.scorer import Scorer

if TYPE_CHECKING:
    from affect_pipeline.settings import Settings

log = logging.getLogger(__name__)
MOST_APART = 0.02
"""Most that a probability shown live may differ from the one that a night stores."""
TRIAL_S = 10.0
ROUNDS = 5


def live_scorer(settings: Settings, folder: Path) -> Scorer:
    """Return the scorer that live analysis uses, as ``AFFECT_LIVE_ENGINE`` says.

    Parameters
    ----------
    settings : Settings
        Which engine, how many threads, whose signature counts.
    folder : Path
        Model folder, verified.

    Raises
    ------
    ModelError
        If ONNX is asked for and there is none that may be used; ``auto`` uses PyTorch then and says so in the log.
    """
    pytorch = Scorer(folder, threads=settings.threads)
    file = usual_file(settings, pytorch.digest)
    if settings.live_engine == "pytorch" or pytorch.device.type != "cpu":
        return pytorch
    if settings.live_engine == "auto" and not file.exists():
        return pytorch
    try:
        onnx = onnx_scorer(settings, folder, file)
        check_close(pytorch, onnx)
    except ModelError as error:
        if settings.live_engine == "onnx":
            raise
        log.warning("live analysis stays with PyTorch: %s", error)
        return pytorch
    if settings.live_engine == "onnx":
        return onnx
    audio = trial(pytorch)
    times = side_by_side(lambda: pytorch.score([audio]), lambda: onnx.score([audio]), ROUNDS)
    slower, faster = (statistics.median(spent) * 1e3 for spent in times)
    log.info("a recording of %.0f s takes PyTorch %.0f ms and ONNX %.0f ms", TRIAL_S, slower, faster)
    return onnx if faster < slower else pytorch


def onnx_scorer(settings: Settings, folder: Path, file: Path) -> Scorer:
    """Return a scorer that runs the network as ONNX, after it was verified.

    Raises
    ------
    ModelError
        If it is missing, was changed, is of another model or not signed by whom the settings trust.
    """
    if not file.exists():
        raise ModelError(f"{file} is missing: `affect model export --onnx` writes it")
    scorer = Scorer(folder, device="cpu", threads=settings.threads)
    network = verify_onnx(settings, file, scorer.digest)
    return scorer.on(SoloRunner(OnnxForward(scorer.encoder, network), settings.threads))


def check_close(pytorch: Scorer, onnx: Scorer) -> float:
    """Return how far apart two scorers put a recording's probability.

    Raises
    ------
    ModelError
        If it is more than `MOST_APART`.
    """
    audio = trial(pytorch)
    here, there = (scorer.score([audio])[0].depression_probability for scorer in (pytorch, onnx))
    if not abs(here - there) <= MOST_APART:
        raise ModelError(f"ONNX puts a recording at {there:.3f} and PyTorch at {here:.3f}: too far apart to be shown")
    return abs(here - there)


def trial(scorer: Scorer, seconds: float = TRIAL_S) -> np.ndarray:
    """Return a made-up recording: a buzz at 120 Hz that comes and goes four times a second, in noise."""
    rate = scorer.affect.sampling_rate_hz
    t = np.arange(round(seconds * rate)) / rate
    buzz = ((120 * t) % 1.0 - 0.5) * (1 + np.sin(2 * np.pi * 4 * t)) / 2
    noisy = 0.2 * buzz + 0.003 * np.random.default_rng(1).normal(size=t.size)
    return np.asarray(np.rint(noisy * 32767), np.int16)


def side_by_side(
    one: Callable[[], object], other: Callable[[], object], rounds: int
) -> tuple[list[float], list[float]]:
    """Return seconds of two calls, taken in turns after a first one of each, so that other load meets both."""
    one(), other()
    spent: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, seconds in zip((one, other), spent, strict=True):
            begun = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - begun)
    return spent

"""Latency of one live request: the same recording of 10 s by PyTorch and by ONNX, in turns."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from affect_pipeline.bench.recordings import RATE_HZ, Recorder
from affect_pipeline.model.live import TRIAL_S, onnx_scorer, side_by_side
from affect_pipeline.model.onnx_network import export_onnx
from affect_pipeline.model.scorer import Scorer
from affect_pipeline.settings import Settings


@dataclass(frozen=True)
class Row:
    """One way of answering.

    Parameters
    ----------
    what, engine : str
        Scoring alone, or a whole request; by what.
    n : int
        Requests, one after the other.
    p50_ms, p95_ms : float
        Quantiles of their time.
    times_pytorch : float
        Speed against PyTorch; above one is faster.
    apart : float or None
        How far the probability is from PyTorch's.
    """

    what: str
    engine: str
    n: int
    p50_ms: float
    p95_ms: float
    times_pytorch: float
    apart: float | None


def compare(folder: Path, network: Path | None, work: Path, n: int, say: Callable[[str], None]) -> list[Row]:
    """Time `n` requests in each way.

    Parameters
    ----------
    folder : Path
        Model folder.
    network : Path, optional
        The network as ONNX; by default it is written now.
    work : Path
        For what is written.
    n : int
        Requests of each kind.
    say : callable
        Told what is going on.
    """
    file = network or work / "network.onnx"
    if network is None:
        say("writing the network as ONNX")
        export_onnx(folder, file)
    settings = Settings(home=work / "home")
    pytorch, onnx = Scorer(folder, device="cpu"), onnx_scorer(settings, folder, file)
    audio = np.rint(Recorder(1).journal(1, TRIAL_S) * 32767).astype(np.int16)
    say("requests")
    alone = side_by_side(lambda: pytorch.score([audio]), lambda: onnx.score([audio]), n)
    wav = _wav(audio, RATE_HZ)
    whole = side_by_side(partial(_request, wav, pytorch), partial(_request, wav, onnx), n)
    here, there = (scorer.score([audio])[0].depression_probability for scorer in (pytorch, onnx))
    return [
        *_rows(f"scoring {TRIAL_S:.0f} s", alone, abs(here - there)),
        *_rows("whole request: decode, measure, score", whole, None),
    ]


def _rows(what: str, times: tuple[list[float], list[float]], apart: float | None) -> list[Row]:
    base = statistics.median(times[0])
    return [
        _row(what, engine, spent, base, difference)
        for engine, spent, difference in zip(("PyTorch", "ONNX"), times, (None, apart), strict=True)
    ]


def _row(what: str, engine: str, spent: Sequence[float], base: float, apart: float | None) -> Row:
    half, most = (float(np.quantile(spent, q)) for q in (0.5, 0.95))
    return Row(what, engine, len(spent), half * 1e3, most * 1e3, base / half, apart)


def _wav(audio: np.ndarray, rate: int) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, audio, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _request(wav: bytes, scorer: Scorer) -> None:
    from affect_pipeline.serving.analysis import hear
    from affect_pipeline.serving.options import ServingOptions

    options = ServingOptions()
    scorer.score([hear(wav, options.max_upload_bytes, options.max_analysed_s).prepared])

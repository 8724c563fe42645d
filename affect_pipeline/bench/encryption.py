"""What encryption at rest costs a recording, beside what is done with it anyway."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from affect_pipeline.acoustics.measure import measure_audio
from affect_pipeline.journals.sandbox import Decoders
from affect_pipeline.privacy.encryption import DataKey, Sealer, VoiceKeys, open_samples, open_sealed, seal_samples
from affect_pipeline.settings import Settings

KEY = DataKey(bytes(16), bytes(range(32)))


class _OneKey(VoiceKeys):
    """Keys that need no warehouse: fetching one costs a query for a patient, not for a recording."""

    def __init__(self) -> None:
        super().__init__(Settings())

    def of_patient(self, patient_key: str) -> DataKey:
        return KEY

    def by_id(self, key_id: bytes) -> DataKey:
        return KEY


def measure(n_recordings: int, minutes: float) -> list[dict[str, Any]]:
    """Return a row a step: milliseconds a recording, and as a share of decoding and measuring it."""
    import soundfile

    from affect_pipeline.simulate import bank

    source = sorted(Path(str(bank.__file__)).parent.glob("*.opus"))[0]
    samples, rate = soundfile.read(source, dtype="float32")
    samples = np.resize(samples, int(minutes * 60 * rate))
    recording = io.BytesIO()
    soundfile.write(recording, samples, rate, format="WAV")
    content, keys = recording.getvalue(), _OneKey()
    with Decoders() as decoders, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        measured = measure_audio(decoders.decode(content))  # loads and compiles
        base = _best(3, lambda: measure_audio(decoders.decode(content)))
        sealed_samples = seal_samples(measured.prepared, "id", KEY)
        steps: dict[str, Callable[[], object]] = {
            "write the recording as it is": lambda: path.write_bytes(content),
            "encrypt and write it": lambda: _seal(path, content),
            "read and decrypt it": lambda: _open(path, keys),
            "encrypt its prepared audio": lambda: seal_samples(measured.prepared, "id", KEY),
            "decrypt its prepared audio": lambda: open_samples(sealed_samples, "id", keys),
        }
        rows = [{"step": "decode and measure", "MB": len(content) / 1e6, "ms": 1e3 * base, "share": 1.0}]
        for name, step in steps.items():
            seconds = _best(n_recordings, step)
            rows.append({"step": name, "MB": len(content) / 1e6, "ms": 1e3 * seconds, "share": seconds / base})
    return rows


def _seal(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        sealer = Sealer(file, KEY)
        sealer.write(content)
        sealer.finish()


def _open(path: Path, keys: VoiceKeys) -> bytes:
    with path.open("rb") as file:
        return open_sealed(file, keys)


def _best(repeats: int, work: Callable[[], object]) -> float:
    """Return the median time of some calls, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))

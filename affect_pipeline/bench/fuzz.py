"""Throws broken and hostile deliveries at the intake and the decoders, and counts what comes of them.

Real voices are encoded in every format, then damaged in ways that a transfer, a bug or an attacker would damage them.
Deliveries go the way of the nightly run: landing zone, sidecar, store, decoder process. Among them lie untouched
recordings, which have to come out unharmed. A seed gives the same files each time.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import struct
import subprocess
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from affect_pipeline.errors import DecodeError, JournalError
from affect_pipeline.journals.decode import DecodedAudio, DecodeLimits, ffmpeg_path
from affect_pipeline.journals.identity import Pseudonyms
from affect_pipeline.journals.intake import Intake
from affect_pipeline.journals.landing import LandingZone
from affect_pipeline.journals.sandbox import Decoders
from affect_pipeline.journals.store import RawStore

NIGHT = date(2026, 1, 5)
GOOD_EVERY = 20
"""One delivery in so many is left as it is."""

BATCH = 400
LIMITS = DecodeLimits(max_bytes=5_000_000, max_duration_s=120.0, timeout_s=30.0, max_cpu_s=20.0, ffmpeg_timeout_s=20.0)
SIDECAR = {"recorded_at": "2026-01-05T08:12:00+01:00", "time_zone": "Europe/Berlin", "consent": True}
Mutation = Callable[[random.Random, bytes, "Corpus"], bytes]


@dataclass(frozen=True)
class Corpus:
    """Recordings to damage: format -> files."""

    files: dict[str, list[bytes]]

    def any(self, chance: random.Random) -> bytes:
        """Return any recording."""
        return chance.choice(self.files[chance.choice(sorted(self.files))])


@dataclass
class Report:
    """What came of the deliveries.

    Parameters
    ----------
    outcomes : dict of Counter
        How each kind of damage ended, by kind.
    n_files : int
        Deliveries.
    n_good, n_good_lost : int
        Untouched recordings, and those that did not come out as they went in.
    unexpected : list of str
        Errors that are not an answer to a bad recording, with the kind of damage.
    seconds : float
        Time it took.
    slowest_s : float
        Longest time of one delivery.
    memory_mib, decoder_memory_mib : float
        Growth of this process from the first batch on, and the most that one decoder held.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    n_files: int = 0
    n_good: int = 0
    n_good_lost: int = 0
    unexpected: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest_s: float = 0.0
    memory_mib: float = 0.0
    decoder_memory_mib: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing unexpected happened and no good recording was lost."""
        return not self.unexpected and self.n_good_lost == 0 and self.n_good > 0

    def rows(self) -> list[dict[str, Any]]:
        """Return the table: a row a kind of damage, a column an outcome, the most frequent first."""
        columns = Counter(name for counts in self.outcomes.values() for name in counts.elements())
        return [
            {"damage": kind, "files": counts.total()} | {name: counts[name] for name, _ in columns.most_common()}
            for kind, counts in sorted(self.outcomes.items())
        ]


def corpus(folder: Path | None = None, seconds: float = 1.5) -> Corpus:
    """Return short excerpts of real voices in every format that this machine can write.

    Parameters
    ----------
    folder : Path, optional
        Recordings to cut from; the packaged voices by default.
    seconds : float
        Length of an excerpt.
    """
    import soundfile

    from affect_pipeline.simulate import bank

    sources = sorted((folder or Path(str(bank.__file__)).parent).glob("*.*"))
    voices = [path for path in sources if path.suffix in (".opus", ".wav", ".flac", ".mp3")][:4]
    files: dict[str, list[bytes]] = {}
    for path in voices:
        with soundfile.SoundFile(path) as file:
            file.seek(min(file.frames // 3, 5 * file.samplerate))
            samples, rate = file.read(int(seconds * file.samplerate), dtype="float32"), file.samplerate
        for name, content in _encoded(samples, rate):
            files.setdefault(name, []).append(content)
    return Corpus(files)


def _encoded(samples: npt.NDArray[np.float32], rate: int) -> Iterator[tuple[str, bytes]]:
    import soundfile

    kinds = (("wav", "WAV", "PCM_16"), ("wav float", "WAV", "FLOAT"), ("wav 24", "WAV", "PCM_24"), ("adpcm", "WAV",
             "MS_ADPCM"), ("flac", "FLAC", None), ("vorbis", "OGG", "VORBIS"), ("opus", "OGG", "OPUS"),
             ("mp3", "MP3", None), ("rf64", "RF64", "PCM_16"))  # fmt: skip
    for name, kind, subtype in kinds:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format=kind, subtype=subtype)
        yield name, buffer.getvalue()
    stereo = io.BytesIO()
    soundfile.write(stereo, np.stack([samples, -samples], axis=1), rate, format="WAV")
    yield "wav stereo", stereo.getvalue()
    if ffmpeg := ffmpeg_path():
        for name, codec, container in (("m4a", "aac", "ipod"), ("webm", "libopus", "webm")):
            command = [ffmpeg, "-loglevel", "error", "-i", "pipe:0", "-c:a", codec, "-strict", "-2", "-f", container]
            if container == "ipod":
                command += ["-movflags", "frag_keyframe+empty_moov"]
            done = subprocess.run([*command, "pipe:1"], input=stereo.getvalue(), capture_output=True, check=False)
            if done.returncode == 0 and done.stdout:
                yield name, done.stdout


def _flip(chance: random.Random, content: bytes, others: Corpus) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 1, 3, 10, 100))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def _header(chance: random.Random, content: bytes, others: Corpus) -> bytes:
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        damaged[chance.randrange(min(128, len(damaged)))] = chance.choice(
            (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
        )
    return bytes(damaged)


def _sizes(chance: random.Random, content: bytes, others: Corpus) -> bytes:
    """Write extreme numbers where chunk sizes, rates, counts and lengths are."""
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        width, order = chance.choice((2, 4, 8)), chance.choice("<>")
        value = chance.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, len(content) * 2)) % 2 ** (8 * width)
        position = chance.randrange(min(256, max(len(damaged) - 8, 1)))
        damaged[position : position + width] = struct.pack(order + {2: "H", 4: "I", 8: "Q"}[width], value)
    return bytes(damaged)


def _truncate(chance: random.Random, content: bytes, _: Corpus) -> bytes:
    return content[: chance.randrange(len(content))]


def _splice(chance: random.Random, content: bytes, others: Corpus) -> bytes:
    other = others.any(chance)
    return content[: chance.randrange(len(content))] + other[chance.randrange(len(other)) :]


def _join(chance: random.Random, content: bytes, others: Corpus) -> bytes:
    return b"".join([content] + [others.any(chance) for _ in range(chance.randint(1, 3))])


def _repeat(chance: random.Random, content: bytes, _: Corpus) -> bytes:
    start = chance.randrange(len(content))
    piece = content[start : start + chance.randint(1, 4096)]
    return content[:start] + piece * chance.randint(2, 200) + content[start:]


def _hole(chance: random.Random, content: bytes, _: Corpus) -> bytes:
    start, stop = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[:start] + chance.choice((b"", bytes(stop - start))) + content[stop:]


def _archive(chance: random.Random, content: bytes, _: Corpus) -> bytes:
    if chance.random() < 0.5:
        return b"\x1f\x8b\x08" + bytes(7) + zlib.compress(bytes(chance.randint(1, 2_000_000)))[2:]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.wav", content)
    return packed.getvalue()


def _image(chance: random.Random, content: bytes, others: Corpus) -> bytes:
    head = chance.choice(
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF89a", b"\xff\xd8\xff\xe0\0\x10JFIF", b"BM", b"RIFF\0\0\1\0WEBP")
    )
    return head + chance.randbytes(chance.randint(10, 3000))


def _program(chance: random.Random, content: bytes, others: Corpus) -> bytes:
    return chance.choice(
        (
            b"#EXTM3U\nfile:///etc/passwd\nhttp://127.0.0.1/x\n",
            b"#!/bin/sh\nrm -rf /\n",
            b"\x7fELF" + bytes(200),
            b"ffconcat version 1.0\nfile /etc/passwd\n",
            b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
            b"",
        )
    )


def _noise(chance: random.Random, content: bytes, _: Corpus) -> bytes:
    """Random bytes behind a true beginning."""
    return content[: chance.choice((4, 12, 36, 44, 64))] + chance.randbytes(chance.randint(1, 20_000))


MUTATIONS: dict[str, Mutation] = {
    "bits flipped": _flip, "header changed": _header, "sizes changed": _sizes, "truncated": _truncate,
    "spliced": _splice, "joined": _join, "repeated": _repeat, "hole": _hole, "archive": _archive, "image": _image,
    "program or list": _program, "random behind a header": _noise,
}  # fmt: skip


def _sidecar(chance: random.Random) -> bytes:
    """Return a sidecar: good, damaged, or hostile."""
    good = json.dumps(SIDECAR).encode()
    kind = chance.randrange(12)
    depth = chance.choice((10, 100, 5000, 30_000))
    hostile: dict[int, bytes] = {
        0: b'{"consent": true, "x": ' + b"[" * depth + b"]" * depth + b"}",
        1: b'{"recorded_at": ' + b"9" * chance.choice((20, 400, 5000, 60_000)) + b"}",
        2: b'{"x": 1e' + b"9" * chance.choice((3, 30)) + b', "consent": true}',
        3: good[: chance.randrange(len(good))],
        4: json.dumps(
            SIDECAR | {"time_zone": chance.choice(("../../etc/passwd", "/etc/passwd", "\0", "x" * 5000))}
        ).encode(),
        5: json.dumps(
            SIDECAR | {"recorded_at": chance.choice(("9999-12-31T23:59:59-23:59", "0001-01-01T00:00Z", "x"))}
        ).encode(),
        6: b"\xff\xfe" + good,
        7: b"[" * 70_000,
    }
    return hostile.get(kind, good)


def run(
    n_files: int, seed: int, folder: Path, recordings: Corpus, progress: Callable[[int], None] | None = None
) -> Report:
    """Deliver damaged recordings and take them in, decoding what gets through.

    Parameters
    ----------
    n_files : int
        Deliveries.
    seed : int
        Same seed, same files.
    folder : Path
        Where the landing zone and the store are made.
    recordings : Corpus
        What is damaged.
    progress : callable, optional
        Told how many are done.
    """
    chance, report = random.Random(seed), Report()  # noqa: S311  # files to be broken, no secrets
    started, first_memory = time.monotonic(), 0.0
    with Decoders() as decoders:
        good = {name: decoders.decode(files[0], LIMITS) for name, files in recordings.files.items()}
        for done in range(0, n_files, BATCH):
            batch = _Batch(folder / "batch", chance, recordings)
            batch.deliver(min(BATCH, n_files - done))
            batch.take_in(decoders, good, report)
            memory = psutil.Process().memory_info().rss / 2**20
            first_memory = first_memory or memory
            report.memory_mib = max(report.memory_mib, memory - first_memory)
            report.decoder_memory_mib = max(report.decoder_memory_mib, _decoder_memory())
            if progress is not None:
                progress(min(done + BATCH, n_files))
    report.seconds = time.monotonic() - started
    return report


def _decoder_memory() -> float:
    held = [0]
    for child in psutil.Process().children(recursive=True):
        try:
            held.append(child.memory_info().rss)
        except psutil.Error:
            continue
    return max(held) / 2**20


class _Batch:
    """Some deliveries in a landing zone of their own."""

    def __init__(self, folder: Path, chance: random.Random, recordings: Corpus) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.landing, self.chance, self.recordings = folder / "landing", chance, recordings
        self.store = RawStore(folder / "raw")
        self.kinds: dict[str, str] = {}
        self.formats = sorted(recordings.files)

    def deliver(self, n_files: int) -> None:
        """Write the deliveries, their sidecars, links and odd names."""
        for number in range(n_files):
            patient = self.landing / NIGHT.isoformat() / f"MRN-{number % 50}"
            patient.mkdir(parents=True, exist_ok=True)
            path = patient / self._name(number)
            if number % GOOD_EVERY == 0:
                kind = self.formats[number // GOOD_EVERY % len(self.formats)]
                self._write(path, self.recordings.files[kind][0], json.dumps(SIDECAR).encode(), f"good {kind}")
                continue
            if self.chance.random() < 0.02:
                path.symlink_to(
                    self.chance.choice(("/etc/passwd", "../../../../../etc/shadow", "/dev/zero", ".", "loop"))
                )
                self.kinds[str(path)] = "link"
                continue
            kind = self.chance.choice(sorted(MUTATIONS))
            # ffmpeg is slow to start: fewer of its formats.
            formats = [name for name in self.formats if name not in ("m4a", "webm") or self.chance.random() < 0.1]
            source = self.chance.choice(self.recordings.files[self.chance.choice(formats)])
            content = MUTATIONS[kind](self.chance, source, self.recordings)[: LIMITS.max_bytes + 10]
            self._write(path, content, _sidecar(self.chance), kind)

    def take_in(self, decoders: Decoders, good: dict[str, DecodedAudio], report: Report) -> None:
        """Take the deliveries in and decode what got through, on two threads."""
        zone = LandingZone(str(self.landing))
        intake = Intake(zone, self.store, Pseudonyms(b"a secret of the fuzzer"), LIMITS.max_bytes)
        deliveries = zone.deliveries(NIGHT)

        def one(delivery: Any) -> tuple[str, str, float]:
            started = time.monotonic()
            kind = self.kinds.get(delivery.path, "unknown")
            return kind, self._outcome(kind, intake, delivery, decoders, good), time.monotonic() - started

        with ThreadPoolExecutor(2) as pool:
            for kind, outcome, seconds in pool.map(one, deliveries):
                self._count(report, kind, outcome, seconds)
        missing = len(set(self.kinds) - {delivery.path for delivery in deliveries} - self._links_nowhere())
        if missing:
            report.unexpected.append(f"{missing} deliveries were not listed")

    def _outcome(
        self, kind: str, intake: Intake, delivery: Any, decoders: Decoders, good: dict[str, DecodedAudio]
    ) -> str:
        try:
            row = intake.take_in(delivery).row
            if not row.in_store or row.problem == "not_audio":
                return row.problem or "not taken in"
            # A bad sidecar puts a recording into quarantine; a person may release it, so it is decoded here, too.
            audio = decoders.decode(self.store.path(row.journal_id), LIMITS)
        except JournalError as error:
            crashed = isinstance(error, DecodeError) and "the decoder" in error.detail
            return f"decoder replaced ({error.detail})" if crashed else error.reason
        except Exception as error:  # whatever it is, it is what we are looking for
            return f"UNEXPECTED {type(error).__name__}: {error}"
        if kind.startswith("good ") and not _same(audio, good[kind.removeprefix("good ")]):
            return "UNEXPECTED other samples"
        return "decoded"

    def _count(self, report: Report, kind: str, outcome: str, seconds: float) -> None:
        report.n_files += 1
        report.slowest_s = max(report.slowest_s, seconds)
        if outcome.startswith("UNEXPECTED"):
            report.unexpected.append(f"{kind}: {outcome}")
        if kind.startswith("good "):
            report.n_good += 1
            report.n_good_lost += outcome != "decoded"
            kind = "none"
        report.outcomes.setdefault(kind, Counter())[outcome] += 1

    def _name(self, number: int) -> str:
        odd = ("ü" * 40, "a b", "x;rm -rf", "%2e%2e%2f", "..", "-rf", "$(id)", "a" * 200, "\u202egpj")
        stem = f"{number}{self.chance.choice(odd)}" if self.chance.random() < 0.1 else f"{number}"
        return f"{stem}.{self.chance.choice(('wav', 'mp3', 'm4a', 'flac', 'txt', 'opus'))}"

    def _write(self, path: Path, content: bytes, sidecar: bytes, kind: str) -> None:
        path.write_bytes(content)
        path.with_suffix(".json").write_bytes(sidecar)
        self.kinds[str(path)] = kind

    def _links_nowhere(self) -> set[str]:
        """Return links to folders and to themselves: there is no file behind them to be listed."""
        return {path for path, kind in self.kinds.items() if kind == "link" and not _leads_outside(path)}


def _leads_outside(path: str) -> bool:
    try:
        return os.path.realpath(path).startswith("/etc")
    except OSError:
        return False


def _same(audio: DecodedAudio, expected: DecodedAudio) -> bool:
    return audio.sample_rate_hz == expected.sample_rate_hz and np.array_equal(audio.samples, expected.samples)

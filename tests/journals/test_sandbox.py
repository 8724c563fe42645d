"""What a recording can do to the process that decodes it, and what that process can do to us: next to nothing."""

from __future__ import annotations

import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from affect_pipeline.errors import DecodeError, DecoderUnavailable
from affect_pipeline.journals.decode import DecodeLimits, decode
from affect_pipeline.journals.sandbox import Decoders, decode_apart
from affect_pipeline.journals.syscalls import DENIED
from tests.audio import Voice, encode, speech

VOICE = speech(Voice(duration_s=1.0))
LIMITS = DecodeLimits(timeout_s=20.0, max_cpu_s=5.0, max_memory_bytes=1 << 30)


@pytest.fixture(scope="module")
def hostile() -> Iterator[Decoders]:
    """Decoders that do what the recording says, with the rights that a real one has."""
    with Decoders("tests.journals.hostile_worker") as decoders:
        yield decoders


def kernel_release() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int(minor)


def told(hostile: Decoders, order: str, limits: DecodeLimits = LIMITS) -> str:
    with pytest.raises(DecodeError) as caught:
        hostile.decode(order.encode(), limits)
    assert caught.value.reason == "decode_failed"
    return caught.value.detail


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("FLAC", None), ("OGG", "OPUS"), ("MP3", None)])
def test_decoding_apart_gives_the_same_samples(tmp_path: Path, kind: str, subtype: str | None) -> None:
    path = tmp_path / "recording"
    path.write_bytes(encode(VOICE, kind=kind, subtype=subtype))

    here, apart = decode(path), decode_apart(path)

    assert np.array_equal(here.samples, apart.samples)
    assert (here.sample_rate_hz, here.n_channels, here.format) == (
        apart.sample_rate_hz, apart.n_channels, apart.format,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg on PATH")
@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("webm", "libopus")])
def test_ffmpeg_runs_inside_the_same_walls(tmp_path: Path, suffix: str, codec: str) -> None:
    source, target = tmp_path / "a.wav", tmp_path / f"a.{suffix}"
    source.write_bytes(encode(VOICE))
    command = ["ffmpeg", "-loglevel", "error", "-i", str(source), "-c:a", codec, "-strict", "-2", str(target)]
    subprocess.run(command, check=True)

    assert decode_apart(target).duration_s == pytest.approx(1.0, abs=0.1)


def test_what_decode_refuses_is_refused_with_the_same_reason() -> None:
    for content, reason in ((b"", "empty_file"), (b"GIF89a" + bytes(99), "not_audio")):
        with pytest.raises(DecodeError) as caught:
            decode_apart(content)
        assert caught.value.reason == reason


def test_a_recording_that_crashes_the_decoder_is_refused_and_the_next_one_is_decoded(hostile: Decoders) -> None:
    assert "crashed (status -11)" in told(hostile, "crash")
    assert hostile.decode(b"good").samples.size == 100


def test_a_recording_that_hangs_is_given_up_and_its_process_is_gone(hostile: Decoders) -> None:
    before = set(psutil.Process().children())
    started = time.monotonic()

    assert "took more than 0.5 s" in told(hostile, "hang", DecodeLimits(timeout_s=0.5))

    assert time.monotonic() - started < 10
    assert set(psutil.Process().children()) <= before
    assert hostile.decode(b"good").samples.size == 100


def test_processor_time_is_bounded(hostile: Decoders) -> None:
    assert "processor time" in told(hostile, "burn", DecodeLimits(timeout_s=60.0, max_cpu_s=0.1))


def test_memory_is_bounded(hostile: Decoders) -> None:
    assert "1024 MiB of memory" in told(hostile, f"grab {2 << 30}")


def test_the_decoder_has_no_network(hostile: Decoders) -> None:
    if not hostile.confinement().network:
        pytest.skip("this container allows no network namespaces")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()  # we can

        assert told(hostile, f"connect 127.0.0.1:{port}") in ("OSError", "PermissionError")


def test_system_calls_that_no_decoder_needs_are_refused(hostile: Decoders) -> None:
    if not hostile.confinement().system_calls:
        pytest.skip("this machine allows no system-call filters, or is of another architecture")
    column = {"x86_64": 0, "aarch64": 1}[platform.machine()]

    for family in (socket.AF_INET, socket.AF_UNIX, socket.AF_NETLINK):
        assert told(hostile, f"socket {int(family)}") == "PermissionError"
    for name, numbers in DENIED.items():
        assert told(hostile, f"call {numbers[column]}") == "EPERM", name
    assert told(hostile, "call 100000") == "ENOSYS", "the machine would have said so of a call that does not exist"


def test_the_decoder_starts_no_programs(hostile: Decoders) -> None:
    if not hostile.confinement().system_calls:
        pytest.skip("this machine allows no system-call filters, or is of another architecture")
    assert told(hostile, f"start {sys.executable}") == "PermissionError"


def test_the_decoder_signals_no_other_process(hostile: Decoders) -> None:
    with subprocess.Popen(["sleep", "60"]) as bystander:
        said = told(hostile, f"signal {bystander.pid}")
        ended = bystander.poll() is not None
        bystander.kill()
    if said == "done" and kernel_release() < (6, 12):
        pytest.skip("kernels before 6.12 cannot keep signals in")
    assert said == "PermissionError"
    assert not ended


def test_the_decoder_reads_and_lists_nothing_of_ours(hostile: Decoders, tmp_path: Path) -> None:
    if not hostile.confinement().files:
        pytest.skip("this kernel has no Landlock")
    secret = tmp_path / "pseudonym.key"
    secret.write_text("secret")

    assert told(hostile, f"read {secret}") == "PermissionError"
    assert told(hostile, f"list {tmp_path}") == "PermissionError"
    assert told(hostile, "read /etc/passwd") == "PermissionError"
    assert told(hostile, "read /proc/self/environ") == "PermissionError"


def test_the_decoder_writes_no_files(hostile: Decoders, tmp_path: Path) -> None:
    told(hostile, f"write {tmp_path / 'x'}")
    told(hostile, "crash")  # RLIMIT_FSIZE ends a process that tries

    assert not (tmp_path / "x").exists() or (tmp_path / "x").stat().st_size == 0


def test_the_decoder_is_not_told_our_settings(hostile: Decoders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFECT_PSEUDONYM_SECRET", "hunter2 hunter2 hunter2")
    with Decoders("tests.journals.hostile_worker") as started_now:
        assert told(started_now, "secrets") == "[]"


@pytest.mark.parametrize("lie", ["claim 20000", "nan"])
def test_a_decoder_that_was_taken_over_is_not_believed(hostile: Decoders, lie: str) -> None:
    assert "the decoder sent" in told(hostile, lie, DecodeLimits(max_duration_s=1.0))


def test_a_decoder_that_cannot_be_started_is_no_fault_of_the_recording() -> None:
    with pytest.raises(DecoderUnavailable), Decoders("affect_pipeline.journals.no_such_module") as decoders:
        decoders.decode(encode(VOICE))


def test_closing_ends_the_processes() -> None:
    before = set(psutil.Process().children())
    with Decoders("tests.journals.hostile_worker") as decoders:
        decoders.decode(b"good")
        assert set(psutil.Process().children()) - before
    assert set(psutil.Process().children()) <= before

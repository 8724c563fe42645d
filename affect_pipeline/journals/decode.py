"""Turning a file of unknown content into samples, within limits.

libsndfile reads WAV, FLAC, Ogg, Opus and MP3. M4A and WebM go through an ``ffmpeg`` found on PATH,
run as a child process that may read that one file and nothing else.

Recordings of strangers are not decoded in the process that asks for it: see `sandbox.decode_apart`.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from affect_pipeline.errors import DecodeError
from affect_pipeline.journals.formats import FFMPEG_FORMATS, FORMATS, SNIFFED_BYTES, audio_format, check_complete

BLOCK_FRAMES = 1 << 20
LARGEST_SAMPLE = 16.0
"""Lossy codecs overshoot full scale a little; what is far beyond comes from a broken or hostile file."""


@dataclass(frozen=True)
class DecodeLimits:
    """What a recording may cost before it is refused.

    Parameters
    ----------
    max_bytes : int
        Largest file.
    max_duration_s : float
        Longest recording.
    max_channels : int
        Most channels.
    min_rate_hz, max_rate_hz : int
        Range of sampling rates.
    ffmpeg_timeout_s : float
        Longest time that the ffmpeg child process may take.
    timeout_s : float
        Longest time, in seconds, that the decoder process may take for one recording (`sandbox`).
    max_memory_bytes : int
        Memory that the decoder process may have.
    max_cpu_s : float
        Processor time that it may take for one recording, in seconds.
    """

    max_bytes: int = 100_000_000
    max_duration_s: float = 900.0
    max_channels: int = 8
    min_rate_hz: int = 4_000
    max_rate_hz: int = 192_000
    ffmpeg_timeout_s: float = 60.0
    timeout_s: float = 90.0
    max_memory_bytes: int = 2 << 30
    max_cpu_s: float = 60.0


@dataclass(frozen=True)
class DecodedAudio:
    """A decoded recording.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        Its loudest channel, full scale at 1. (A mean over channels would hide clipping, and cancel
        microphones of opposite polarity.)
    sample_rate_hz : int
        Sampling rate of the file.
    n_channels : int
        Channels of the file.
    format : str
        Format of the content, one of `formats.FORMATS`.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    n_channels: int
    format: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples.size / self.sample_rate_hz


def decode(path: Path, limits: DecodeLimits = DecodeLimits(), first_frame: int = 0) -> DecodedAudio:
    """Decode a recording; its content decides the format.

    Parameters
    ----------
    path : Path
        The file.
    limits : DecodeLimits
        What it may cost. Size, duration, channels and rate are checked before decoding.
    first_frame : int
        Samples before it are left out: somebody follows a recording that still grows.

    Returns
    -------
    DecodedAudio

    Raises
    ------
    DecodeError
        With reason ``empty_file``, ``too_large``, ``not_audio``, ``truncated``, ``too_long``,
        ``no_decoder``, ``decode_failed`` or ``non_finite_samples``.
    """
    size = path.stat().st_size
    if size == 0:
        raise DecodeError("empty_file", "the file has no bytes")
    if size > limits.max_bytes:
        raise DecodeError("too_large", f"{size} bytes; at most {limits.max_bytes} are taken in")
    with path.open("rb") as file:
        format_name = audio_format(file.read(SNIFFED_BYTES))
    if format_name is None:
        raise DecodeError("not_audio", f"the content is none of {', '.join(FORMATS)}")
    check_complete(path, format_name)
    if format_name in FFMPEG_FORMATS:
        channels, rate_hz = _read_with_ffmpeg(path, limits)
        channels = channels[first_frame:]
    else:
        channels, rate_hz = _read_with_libsndfile(path, limits, first_frame)
    return DecodedAudio(_loudest_channel(channels), rate_hz, channels.shape[1], format_name)


def ffmpeg_path() -> str | None:
    """Return where ffmpeg is, or None: then M4A and WebM journals wait in quarantine."""
    return shutil.which("ffmpeg")


def _loudest_channel(channels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if not channels.size:
        raise DecodeError("decode_failed", "the audio holds no samples")
    if not np.isfinite(channels).all():
        raise DecodeError("non_finite_samples", "the audio holds NaN or infinite samples")
    if max(float(channels.max()), -float(channels.min())) > LARGEST_SAMPLE:
        raise DecodeError("decode_failed", f"samples beyond {LARGEST_SAMPLE:.0f} times full scale")
    if channels.shape[1] == 1:
        return channels[:, 0]
    energy = np.einsum("ij,ij->j", channels, channels, dtype=np.float64)
    return np.ascontiguousarray(channels[:, int(energy.argmax())])


def _check_header(rate_hz: int, n_channels: int, duration_s: float, limits: DecodeLimits) -> None:
    if not limits.min_rate_hz <= rate_hz <= limits.max_rate_hz:
        raise DecodeError(
            "decode_failed", f"{rate_hz} Hz; rates from {limits.min_rate_hz} to {limits.max_rate_hz} Hz are read"
        )
    if not 1 <= n_channels <= limits.max_channels:
        raise DecodeError("decode_failed", f"{n_channels} channels; at most {limits.max_channels} are read")
    if duration_s > limits.max_duration_s:
        raise DecodeError("too_long", f"{duration_s:.0f} s; at most {limits.max_duration_s:.0f} s are analysed")


def _read_with_libsndfile(path: Path, limits: DecodeLimits, first_frame: int) -> tuple[npt.NDArray[np.float32], int]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            # MP3 headers often only guess the length, so that of MP3 is checked while it is read.
            promised_s = 0.0 if file.format == "MP3" else file.frames / max(file.samplerate, 1)
            _check_header(file.samplerate, file.channels, promised_s, limits)
            if first_frame:
                file.seek(first_frame)
            channels = _read_blocks(file, int(limits.max_duration_s * file.samplerate) + 1)
            _check_header(file.samplerate, file.channels, len(channels) / file.samplerate, limits)
            n_decoded = first_frame + len(channels)
            if n_decoded < file.frames and file.format == "FLAC":
                raise DecodeError("truncated", f"{n_decoded} of {file.frames} promised samples could be decoded")
            return channels, file.samplerate
    except soundfile.LibsndfileError as error:
        raise DecodeError("decode_failed", error.error_string) from None


def _read_blocks(file: Any, most: int) -> npt.NDArray[np.float32]:
    """Read a file to its end, but never more than `most` frames, whatever its header promises."""
    blocks = [np.zeros((0, file.channels), np.float32)]
    n_read = 0
    while n_read < most:
        block = file.read(min(BLOCK_FRAMES, most - n_read), dtype="float32", always_2d=True)
        if not len(block):
            break
        blocks.append(block)
        n_read += len(block)
    return np.concatenate(blocks)


def _read_with_ffmpeg(path: Path, limits: DecodeLimits) -> tuple[npt.NDArray[np.float32], int]:
    """Have ffmpeg write 16-bit WAV to a pipe: first the header, then samples, never more than the limit.

    The demuxer is named and only the ``file`` and ``pipe`` protocols are allowed, so that a playlist
    under an audio name cannot make ffmpeg read other files or the network.
    """
    ffmpeg = ffmpeg_path()
    if ffmpeg is None:
        raise DecodeError("no_decoder", "M4A and WebM need ffmpeg on PATH; install it and release the journal")
    with path.open("rb") as file:
        demuxer = "matroska" if audio_format(file.read(SNIFFED_BYTES)) == "webm" else "mov"
    command = [ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-xerror", "-threads", "1"]
    command += ["-protocol_whitelist", "file,pipe", "-f", demuxer, "-i", f"file:{path.absolute()}"]
    command += ["-map", "0:a:0", "-vn", "-sn", "-dn", "-t", f"{limits.max_duration_s + 1:.0f}"]
    command += ["-f", "wav", "-c:a", "pcm_f32le", "-bitexact", "pipe:1"]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=limits.ffmpeg_timeout_s,
            check=False,
            env={},
            pass_fds=_descriptor(path),
        )
    except subprocess.TimeoutExpired:
        raise DecodeError("decode_failed", f"ffmpeg took more than {limits.ffmpeg_timeout_s:.0f} s") from None
    if done.returncode != 0:
        raise DecodeError("decode_failed", f"ffmpeg ended with status {done.returncode}")
    return _parse_streamed_wav(done.stdout, limits)


def _descriptor(path: Path) -> tuple[int, ...]:
    """Return the open file that a path such as ``/proc/self/fd/7`` stands for: ffmpeg must have it open, too."""
    return (int(path.name),) if path.parent == Path("/proc/self/fd") else ()


def _parse_streamed_wav(content: bytes, limits: DecodeLimits) -> tuple[npt.NDArray[np.float32], int]:
    """Read the WAV that ffmpeg wrote to a pipe, whose sizes are therefore unknown."""
    start = content.find(b"data", 12)
    fmt = content.find(b"fmt ", 12)
    if not 0 <= fmt < start:
        raise DecodeError("decode_failed", "ffmpeg found no audio")
    n_channels = int.from_bytes(content[fmt + 10 : fmt + 12], "little")
    rate_hz = int.from_bytes(content[fmt + 12 : fmt + 16], "little")
    samples = np.frombuffer(content, "<f4", offset=start + 8, count=(len(content) - start - 8) // 4)
    samples = samples[: samples.size // n_channels * n_channels]
    channels = samples.reshape(-1, n_channels).astype(np.float32)
    _check_header(rate_hz, n_channels, len(channels) / rate_hz, limits)
    return channels, rate_hz

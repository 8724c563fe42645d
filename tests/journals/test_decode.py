from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affect_pipeline.errors import DecodeError
from affect_pipeline.journals.decode import DecodeLimits, decode
from affect_pipeline.journals.formats import FORMATS, audio_format
from tests.audio import Voice, encode, speech

VOICE = speech(Voice(duration_s=1.0))
DEFAULTS = DecodeLimits()
ENCODED = {
    "wav": encode(VOICE),
    "flac": encode(VOICE, kind="FLAC"),
    "ogg": encode(VOICE, kind="OGG", subtype="VORBIS"),
    "opus": encode(VOICE, kind="OGG", subtype="OPUS"),
    "mp3": encode(VOICE, kind="MP3"),
}


def put(folder: Path, content: bytes) -> Path:
    path = folder / "recording"
    path.write_bytes(content)
    return path


def reason(path: Path, limits: DecodeLimits = DEFAULTS) -> str:
    with pytest.raises(DecodeError) as caught:
        decode(path, limits)
    return caught.value.reason


@pytest.mark.parametrize("name", ENCODED)
def test_content_decides_the_format_and_samples_come_out(tmp_path: Path, name: str) -> None:
    audio = decode(put(tmp_path, ENCODED[name]))
    assert audio.format == audio_format(ENCODED[name]) == name
    assert (audio.samples.dtype, audio.n_channels) == (np.float32, 1)
    assert audio.duration_s == pytest.approx(1.0, abs=0.1)
    level = np.sqrt(np.mean(audio.samples**2))
    assert level == pytest.approx(np.sqrt(np.mean(VOICE**2)), rel=0.1)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
def test_every_kind_of_wav_is_read(tmp_path: Path, subtype: str) -> None:
    audio = decode(put(tmp_path, encode(VOICE, subtype=subtype)))
    assert audio.samples == pytest.approx(VOICE, abs=0.02)


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a" + bytes(100),
        b"PK\x03\x04" + bytes(100),
        b"#!/bin/sh\n",
        b"\x7fELF",
        b"#EXTM3U\nfile:///etc/passwd",
        b"\x1a\x45\xdf\xa3 matroska of another kind",
        b"OggS" + bytes(200),
        b"\xff\xf1\x50\x80",
        b"RIFF\x00\x00\x00\x00AVI ",
        b"x",
    ],
)
def test_what_is_no_audio_is_not_given_to_a_decoder(tmp_path: Path, content: bytes) -> None:
    assert audio_format(content) is None
    assert reason(put(tmp_path, content)) == "not_audio"


def test_limits_hold_before_decoding(tmp_path: Path) -> None:
    path = put(tmp_path, ENCODED["wav"])
    assert reason(path, DecodeLimits(max_bytes=1000)) == "too_large"
    assert reason(path, DecodeLimits(max_duration_s=0.5)) == "too_long"
    assert reason(path, DecodeLimits(min_rate_hz=44_100)) == "decode_failed"
    nine_channels = encode(np.zeros((100, 9), np.float32))
    assert reason(put(tmp_path, nine_channels)) == "decode_failed"
    assert reason(put(tmp_path, b"")) == "empty_file"


def test_a_header_that_promises_too_much_is_truncated_or_too_long(tmp_path: Path) -> None:
    lying = bytearray(ENCODED["wav"])
    where = lying.index(b"data") + 4
    lying[where : where + 4] = struct.pack("<I", 0x7FFF_FFFF)
    assert reason(put(tmp_path, bytes(lying))) == "truncated"


def test_a_wav_that_was_streamed_with_unknown_length_is_read(tmp_path: Path) -> None:
    streamed = bytearray(ENCODED["wav"])
    where = streamed.index(b"data") + 4
    streamed[4:8] = streamed[where : where + 4] = b"\xff\xff\xff\xff"
    assert decode(put(tmp_path, bytes(streamed))).duration_s == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    samples = VOICE.copy()
    samples[-1] = bad
    assert reason(put(tmp_path, encode(samples, subtype="FLOAT"))) == "non_finite_samples"


def test_samples_far_beyond_full_scale_are_refused(tmp_path: Path) -> None:
    assert reason(put(tmp_path, encode(VOICE * 1e30, subtype="FLOAT"))) == "decode_failed"
    assert decode(put(tmp_path, encode(VOICE * 2, subtype="FLOAT"))).samples == pytest.approx(VOICE * 2)


def test_the_loudest_channel_is_taken_so_that_opposite_ones_do_not_cancel(tmp_path: Path) -> None:
    opposite = np.stack([VOICE, -VOICE], axis=1)
    assert decode(put(tmp_path, encode(opposite))).samples == pytest.approx(VOICE, abs=1e-3)
    one_dead = np.stack([np.zeros_like(VOICE), VOICE], axis=1)
    audio = decode(put(tmp_path, encode(one_dead)))
    assert audio.samples == pytest.approx(VOICE, abs=1e-3)
    assert audio.n_channels == 2


@given(st.sampled_from(sorted(ENCODED)), st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    content = bytearray(ENCODED[name])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    path = put(tmp_path_factory.getbasetemp(), bytes(content))
    try:
        audio = decode(path, DecodeLimits(max_duration_s=5.0, ffmpeg_timeout_s=10.0))
    except DecodeError:
        return
    assert audio.format in FORMATS
    assert audio.samples.ndim == 1
    assert np.isfinite(audio.samples).all()
    assert audio.duration_s <= 5.0

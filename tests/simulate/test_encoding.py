from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from affect_pipeline.simulate.devices import DEVICES, Device
from affect_pipeline.simulate.encoding import encode, ogg_checksum, with_fixed_serial


def sound(device: Device) -> np.ndarray:
    times_s = np.arange(device.sample_rate_hz) / device.sample_rate_hz
    return (0.5 * np.sin(2 * np.pi * 440 * times_s)).astype(np.float32)


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_a_sound_gives_the_same_bytes_each_time_and_reads_back(device: Device) -> None:
    content = encode(sound(device), device)
    assert content == encode(sound(device), device)
    heard, rate_hz = soundfile.read(io.BytesIO(content))
    assert rate_hz == device.sample_rate_hz
    assert len(heard) == pytest.approx(device.sample_rate_hz, rel=0.1)
    loudest = np.argmax(np.abs(np.fft.rfft(heard))) * rate_hz / len(heard)
    assert loudest == pytest.approx(440, abs=3)


def test_encoders_alone_would_give_other_bytes() -> None:
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        soundfile.write(file, np.zeros(16_000), 16_000, format="OGG", subtype="VORBIS")
    one, other = (file.getvalue() for file in files)
    assert one != other
    assert with_fixed_serial(one) == with_fixed_serial(other)


def test_our_checksum_is_the_encoders() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16_000), 16_000, format="OGG", subtype="VORBIS")
    first_page = bytearray(file.getvalue()[: 27 + 1 + 30])
    stored = int.from_bytes(first_page[22:26], "little")
    first_page[22:26] = bytes(4)
    assert ogg_checksum(first_page) == stored


@pytest.mark.parametrize("content", [b"RIFF and so on, no Ogg at all", b"OggS" + bytes(22) + b"\x05"])
def test_what_is_not_ogg_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no Ogg page|cut short"):
        with_fixed_serial(content)

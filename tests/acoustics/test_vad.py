from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affect_pipeline.acoustics.vad import (
    FRAME,
    RATE_HZ,
    runs,
    segments_from_probabilities,
    speech_mask,
    speech_probabilities,
    speech_segments,
)
from tests.audio import Voice, speech

PAUSED = Voice(duration_s=9.0, pauses=((0.0, 1.0), (4.0, 0.8), (8.0, 1.0)), snr_db=30.0)


def test_speech_is_found_where_it_is() -> None:
    found_s = speech_segments(speech(PAUSED)) / RATE_HZ
    assert found_s == pytest.approx(np.array([[1.0, 4.0], [4.8, 8.0]]), abs=0.15)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(RATE_HZ, np.float32),
        np.zeros(0, np.float32),
        np.full(100, 0.1, np.float32),
        np.random.default_rng(0).normal(0, 0.1, 3 * RATE_HZ).astype(np.float32),
        np.sin(np.arange(3 * RATE_HZ) * 2 * np.pi * 440 / RATE_HZ).astype(np.float32),
    ],
    ids=["silence", "empty", "short", "noise", "tone"],
)
def test_what_is_not_speech_is_not_found(samples: np.ndarray) -> None:
    assert speech_segments(samples).shape == (0, 2)


@pytest.mark.parametrize("gain_db", [-40, -20, 12])
def test_the_gain_of_the_microphone_makes_no_difference(gain_db: float) -> None:
    quiet = speech(PAUSED) * np.float32(10 ** (gain_db / 20))
    assert np.abs(speech_segments(quiet) - speech_segments(speech(PAUSED))).max() <= FRAME


def test_long_recordings_pass_their_state_from_block_to_block() -> None:
    samples = np.tile(speech(PAUSED), 4)
    whole = speech_probabilities(samples)
    assert whole.size == -(-samples.size // FRAME)
    again = speech_probabilities(samples[: 20 * RATE_HZ])
    assert whole[: again.size - 1] == pytest.approx(again[:-1], abs=1e-3)


def test_the_probabilities_are_those_of_the_streaming_model() -> None:
    import importlib.util
    from pathlib import Path

    import onnxruntime

    found = importlib.util.find_spec("silero_vad")
    assert found is not None
    assert found.submodule_search_locations is not None
    model = Path(found.submodule_search_locations[0]) / "data" / "silero_vad.onnx"
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    samples = speech(Voice(duration_s=2.0))
    samples = samples - samples.mean()
    samples = (samples * (0.5 / np.abs(samples).max())).astype(np.float32)
    state, context, streamed = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32), []
    for first in range(0, samples.size - FRAME + 1, FRAME):
        frame = np.concatenate([context, samples[first : first + FRAME]])
        value, state = session.run(None, {"input": frame[None], "state": state, "sr": np.array(RATE_HZ)})
        context = frame[-64:]
        streamed.append(float(value[0, 0]))
    assert speech_probabilities(samples)[: len(streamed)] == pytest.approx(streamed, abs=1e-3)


def test_gaps_are_bridged_and_short_bursts_dropped() -> None:
    probabilities = np.zeros(100, np.float32)
    probabilities[10:20] = 0.9
    probabilities[22:40] = 0.9  # a gap of 64 ms belongs to the speech around it
    probabilities[45:50] = 0.9  # 160 ms are no speech
    probabilities[60:64] = 0.9
    probabilities[64:80] = 0.4  # between the thresholds speech goes on
    assert segments_from_probabilities(probabilities, 100 * FRAME).tolist() == [[5120, 20480], [30720, 40960]]


probabilities = st.lists(st.floats(0, 1, width=32), min_size=0, max_size=80)


@given(probabilities)
def test_segments_are_in_order_apart_and_long_enough(values: list[float]) -> None:
    n_samples = len(values) * FRAME
    segments = segments_from_probabilities(np.array(values, np.float32), n_samples)
    assert (segments[:, 1] - segments[:, 0] >= 0.25 * RATE_HZ).all()
    assert (segments[1:, 0] - segments[:-1, 1] >= 0.1 * RATE_HZ).all()
    assert ((segments >= 0) & (segments <= n_samples)).all()
    assert speech_mask(segments, n_samples).sum() == (segments[:, 1] - segments[:, 0]).sum()


@given(st.lists(st.booleans(), max_size=50))
def test_runs_and_masks_are_inverse(values: list[bool]) -> None:
    mask = np.array(values, bool)
    assert (speech_mask(runs(mask), mask.size) == mask).all()

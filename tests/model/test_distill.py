"""Distillation: the batch of a step is a function of its seed, a killed run ends as one that was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from affect_pipeline.errors import CorpusError
from affect_pipeline.model.corpora import Recording, read_corpus
from affect_pipeline.model.distill import DistillPlan, distill, hear, learning_rate
from affect_pipeline.model.distill_data import DistillData, load_corpus
from affect_pipeline.model.encoder import AffectiveEncoder, tiny_encoder
from affect_pipeline.model.teacher import Teacher
from tests.model.voices import write_corpus

PLAN = DistillPlan(
    steps=4, seconds_per_batch=2.0, crop_s=(0.5, 1.0), warmup=1, checkpoint_every=2, bf16=False,
    standardise_s=8.0, layer_weights=(0.5, 1.0, 1.0),
)  # fmt: skip


class LoudnessTeacher:
    """A teacher whose layers all hear the energy of a frame, in eight scales, where a Whisper hears it."""

    width, ahead = 8, 1

    def states(self, waves: Tensor, n_layers: int | None = None) -> tuple[Tensor, ...]:
        n = -(-waves.shape[1] // 320)
        padded = torch.nn.functional.pad(waves, (160, n * 320 - waves.shape[1] + 160))
        energy = torch.log(padded.unfold(1, 320, 320)[:, :n].square().mean(-1) + 1e-6)
        return (torch.tanh(energy[..., None] / torch.arange(1, 9)),) * (1 + (2 if n_layers is None else n_layers))


class Killed(Exception):
    """Stands for the process being killed."""


def untrained(_: Teacher, __: Tensor) -> AffectiveEncoder:
    encoder = tiny_encoder(seed=3).requires_grad_(True)
    encoder.config.layerdrop = 0.0  # a layer that is left out would have no state to be judged
    return encoder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    folder = tmp_path_factory.mktemp("voices")
    return read_corpus(write_corpus(folder, n_speakers=2, takes=1, moods=("neutral", "angry")), name="voices")


@pytest.fixture(scope="module")
def data(recordings: list[Recording]) -> DistillData:
    return DistillData([load_corpus(recordings)])


def test_voices_are_prepared_once(recordings: list[Recording], tmp_path: Path):
    heard: list[int] = []
    first = load_corpus(recordings, tmp_path, lambda: heard.append(1))
    again = load_corpus(recordings, tmp_path, lambda: heard.append(1))
    assert len(heard) == len(recordings)
    assert [voice.tobytes() for voice in first] == [voice.tobytes() for voice in again]
    assert len(load_corpus(recordings[:1], tmp_path)) == 1


def test_the_batch_of_a_step_depends_on_seed_and_step_only(data: DistillData):
    first, again, later = (data.batch(PLAN, step) for step in (3, 3, 4))
    assert torch.equal(first.heard, again.heard)
    assert torch.equal(first.clean, again.clean)
    assert first.heard.shape != later.heard.shape or not torch.equal(first.heard, later.heard)


def test_crops_are_full_but_for_those_that_hold_one_short_recording(data: DistillData):
    plan = replace(PLAN, crop_s=(9.0,), seconds_per_batch=300.0)
    lengths = data.batch(plan, 0).lengths / (9 * 16_000)
    assert 0.5 < (lengths > 0.99).float().mean() < 1


def test_the_teacher_describes_the_clean_voice_at_the_frame_where_the_student_hears_it(data: DistillData):
    calm = replace(PLAN, crop_s=(1.0,), augment=replace(PLAN.augment, speed=0.0, noise=0, reverberation=0, channel=0))
    batch = data.batch(calm, 0)
    targets = hear(batch, LoudnessTeacher(), calm)
    wave = batch.clean[0, : int(batch.lengths[0])].numpy()
    frames = targets.states[0][0, :, 7][targets.mask[0]].numpy()
    energy = np.array([np.log((wave[s : s + 320] ** 2).mean() + 1e-6) for s in range(200, wave.size - 320, 320)])
    n = min(len(frames), energy.size)
    assert n >= wave.size // 320 - 2
    at = [np.corrcoef(frames[max(0, -k) : n - max(0, k)], energy[max(0, k) : n + min(0, k)])[0, 1] for k in (-1, 0, 1)]
    assert at[1] > 0.9
    assert np.argmax(at) == 1


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(data: DistillData, tmp_path: Path):
    teacher = LoudnessTeacher()
    whole = distill(data, teacher, PLAN, tmp_path / "whole", start_from=untrained)

    def kill(step: int, _: dict[str, float]) -> None:
        if step == 2:
            raise Killed

    with pytest.raises(Killed):
        distill(data, teacher, PLAN, tmp_path / "killed", kill, start_from=untrained)
    steps: list[int] = []
    resumed = distill(
        data, teacher, PLAN, tmp_path / "killed", lambda step, _: steps.append(step), start_from=untrained
    )
    assert steps == [2, 3]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_training_lowers_the_loss(data: DistillData, tmp_path: Path):
    losses: list[float] = []
    plan = replace(PLAN, steps=30, learning_rate=1e-2, checkpoint_every=30)
    distill(
        data, LoudnessTeacher(), plan, tmp_path, lambda _, found: losses.append(found["frames"]), start_from=untrained
    )
    assert np.mean(losses[-8:]) < 0.95 * np.mean(losses[:8])


def test_the_rate_warms_up_stays_and_decays():
    plan = replace(PLAN, steps=100, cycles=1, warmup=10, decay_share=0.5, learning_rate=1.0)
    assert learning_rate(plan, 0) == pytest.approx(0.1)
    assert learning_rate(plan, 30) == 1.0
    assert learning_rate(plan, 75) == pytest.approx(0.5)
    assert learning_rate(plan, 99) < 0.03


def test_the_rate_does_the_same_in_every_cycle():
    plan = replace(PLAN, steps=100, cycles=2, warmup=10, decay_share=0.5, learning_rate=1.0)
    rates = [learning_rate(plan, step) for step in range(100)]
    assert rates[:50] == rates[50:]
    assert rates[20] == 1.0
    assert rates[49] < 0.06


def test_recordings_without_speech_cannot_be_learnt_from():
    with pytest.raises(CorpusError, match="speech"):
        DistillData([load_corpus([])])


def test_a_corpus_for_testing_is_refused(recordings: list[Recording]):
    with pytest.raises(CorpusError, match="testing only"):
        load_corpus([replace(recordings[0], corpus="emodb")])

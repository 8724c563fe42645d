"""Distillation: the batch of a step is a function of its seed, a killed run ends as one that was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affect_pipeline.errors import CorpusError, ModelError
from affect_pipeline.model.distill import DistillPlan, distill, learning_rate
from affect_pipeline.model.distill_data import DistillData, load_corpus
from affect_pipeline.model.encoder import AffectiveEncoder, tiny_encoder
from affect_pipeline.model.features import FeatureStore, read_audio
from affect_pipeline.model.student import new_student, student_config
from affect_pipeline.model.teacher import load_teacher
from tests.model.voices import write_corpus

PLAN = DistillPlan(
    steps=4, seconds_per_batch=2.0, crop_s=(0.5, 1.0), warmup=1, checkpoint_every=2, bf16=False, standardise_s=8.0
)


class LoudnessTeacher:
    """A teacher that hears the energy of a frame, in eight scales."""

    width = 8

    def __init__(self) -> None:
        self.n_heard = 0

    def frames(self, samples: np.ndarray) -> np.ndarray:
        self.n_heard += 1
        n = -(-samples.size // 320)
        padded = np.zeros(n * 320, np.float32)
        padded[: samples.size] = samples
        energy = np.log((padded.reshape(n, 320) ** 2).mean(1) + 1e-6)
        return np.tanh(energy[:, None] / np.arange(1, 9)).astype(np.float32)


class Killed(Exception):
    """Stands for the process being killed."""


def untrained() -> AffectiveEncoder:
    return tiny_encoder(seed=3).requires_grad_(True)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = write_corpus(tmp_path_factory.mktemp("voices"), n_speakers=2, takes=1, moods=("neutral", "angry"))
    return sorted(folder.rglob("*.wav"))


@pytest.fixture(scope="module")
def store(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    store = FeatureStore(tmp_path_factory.mktemp("frames"))
    assert store.extract(paths, LoudnessTeacher()) == len(paths)
    return store


@pytest.fixture(scope="module")
def data(paths: list[Path], store: FeatureStore) -> DistillData:
    return DistillData([load_corpus(paths, store)])


def test_frames_that_are_there_are_not_computed_again(paths: list[Path], store: FeatureStore):
    teacher = LoudnessTeacher()
    assert store.extract(paths, teacher) == 0
    assert teacher.n_heard == 0


def test_the_batch_of_a_step_depends_on_seed_and_step_only(data: DistillData):
    first, again, later = (data.batch(PLAN, step) for step in (3, 3, 4))
    assert torch.equal(first.heard, again.heard)
    assert torch.equal(first.teacher, again.teacher)
    assert first.heard.shape != later.heard.shape or not torch.equal(first.heard, later.heard)


def test_the_teacher_describes_the_clean_voice_at_the_frame_where_the_student_hears_it(data: DistillData):
    calm = replace(PLAN, crop_s=(1.0,), augment=replace(PLAN.augment, speed=0.0, noise=0, reverberation=0, channel=0))
    batch = data.batch(calm, 0)
    wave = batch.clean[0].numpy()
    frames = batch.teacher[0, : int(batch.n_teacher[0]), 7].numpy()
    starts = range(360, wave.size - 320, 320)
    energy = np.array([np.log((wave[start : start + 320] ** 2).mean() + 1e-6) for start in starts])[: len(frames)]
    assert np.corrcoef(frames[: energy.size], energy)[0, 1] > 0.8


def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(data: DistillData, tmp_path: Path):
    whole = distill(data, PLAN, tmp_path / "whole", start_from=untrained)

    def kill(step: int, _: dict[str, float]) -> None:
        if step == 2:
            raise Killed

    with pytest.raises(Killed):
        distill(data, PLAN, tmp_path / "killed", kill, start_from=untrained)
    steps: list[int] = []
    resumed = distill(data, PLAN, tmp_path / "killed", lambda step, _: steps.append(step), start_from=untrained)
    assert steps == [2, 3]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_training_lowers_the_loss(data: DistillData, tmp_path: Path):
    losses: list[float] = []
    plan = replace(PLAN, steps=30, learning_rate=1e-2, checkpoint_every=30)
    distill(data, plan, tmp_path, lambda _, found: losses.append(found["teacher"]), start_from=untrained)
    assert np.mean(losses[-8:]) < 0.95 * np.mean(losses[:8])


def test_the_rate_warms_up_stays_and_decays():
    plan = replace(PLAN, steps=100, warmup=10, decay_share=0.5, learning_rate=1.0)
    assert learning_rate(plan, 0) == pytest.approx(0.1)
    assert learning_rate(plan, 30) == 1.0
    assert learning_rate(plan, 75) == pytest.approx(0.5)
    assert learning_rate(plan, 99) < 0.03


def test_recordings_without_frames_cannot_be_learnt_from(paths: list[Path], tmp_path: Path):
    with pytest.raises(CorpusError, match="teacher frames"):
        DistillData([load_corpus(paths, FeatureStore(tmp_path))])


def test_the_front_end_starts_as_a_filter_bank_that_stays():
    torch.manual_seed(0)
    conv = new_student().wav2vec2.feature_extractor.conv_layers[0].conv
    assert not conv.weight.requires_grad
    spectrum = torch.fft.rfft(conv.weight[:, 0], 16_000).abs()
    peaks_hz = spectrum.argmax(1)
    assert peaks_hz[:40].max() < 400
    assert peaks_hz.max() > 6000
    assert student_config().conv_dim[0] == conv.out_channels


def test_a_folder_that_is_no_teacher_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"model\.bin"):
        load_teacher(tmp_path)


def test_a_hugging_face_encoder_can_teach(paths: list[Path], tmp_path: Path):
    tiny_encoder().wav2vec2.save_pretrained(tmp_path)
    teacher = load_teacher(tmp_path)
    samples = read_audio(paths[0])
    frames = teacher.frames(samples)
    assert teacher.width == 16
    assert frames.shape == (-(-samples.size // 320), 16)
    assert np.isfinite(frames).all()

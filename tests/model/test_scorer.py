from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from transformers import Wav2Vec2Config

from affect_pipeline.errors import ModelError, UnsafeModel
from affect_pipeline.model.encoder import AffectConfig, AffectiveEncoder, tiny_encoder
from affect_pipeline.model.runners import BatchRunner, SoloRunner
from affect_pipeline.model.scorer import JournalScore, Scorer

RATE = 16_000
DURATIONS_S = (0.4, 1.0, 3.3, 5.0, 5.1, 12.0)

Int16 = npt.NDArray[np.int16]


@pytest.fixture(scope="module")
def journals() -> list[Int16]:
    rng = np.random.default_rng(11)
    return [(rng.normal(0, 0.1, round(s * RATE)).cumsum() % 2000 - 1000).astype(np.int16) for s in DURATIONS_S]


@pytest.fixture(scope="module", params=["group", "layer"])
def model_dir(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model wide enough that the matrix kernels of real models run, of either kind of Wav2Vec 2.0."""
    config = Wav2Vec2Config(
        hidden_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=512,
        conv_dim=(64,) * 7,
        feat_extract_norm=request.param,
        do_stable_layer_norm=request.param == "layer",
        num_conv_pos_embeddings=16,
        apply_spec_augment=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        encoder = AffectiveEncoder(config, AffectConfig(pooled_layers=(1, 2), emotions=("neutral", "sad")))
    folder = tmp_path_factory.mktemp("model")
    encoder.eval().save(folder)
    return folder


def bits(scores: Sequence[JournalScore]) -> list[tuple[JournalScore, bytes]]:
    """All that a score holds, so that equality means equal bits."""
    return [(score, score.embedding.tobytes()) for score in scores]


def test_a_score_has_the_same_bits_alone_in_company_in_any_order_and_on_any_threads(
    model_dir: Path, journals: list[Int16]
) -> None:
    scorer = Scorer(model_dir, device="cpu", threads=2)
    together = bits(scorer.score(journals))
    assert len({score.valence for score, _ in together}) == len(journals), "the journals differ"
    assert [bits(scorer.score([journal]))[0] for journal in journals] == together
    order = np.random.default_rng(5).permutation(len(journals))
    assert bits(scorer.score([journals[i] for i in order])) == [together[i] for i in order]
    for threads in (1, 3):
        assert bits(Scorer(model_dir, device="cpu", threads=threads).score(journals)) == together


def test_the_threads_that_others_may_use_are_given_back(model_dir: Path, journals: list[Int16]) -> None:
    before = torch.get_num_threads()
    Scorer(model_dir, device="cpu", threads=2).score(journals[:3])
    assert torch.get_num_threads() == before


def test_batches_of_fixed_shape_agree_with_windows_alone(model_dir: Path, journals: list[Int16]) -> None:
    solo = Scorer(model_dir, device="cpu")
    runner = BatchRunner(solo._forward, torch.device("cpu"), batch_samples=RATE * 10)
    batched = Scorer(model_dir, device="cpu", runner=runner)
    assert_close(solo.score(journals), batched.score(journals))


def assert_close(scores: list[JournalScore], others: list[JournalScore]) -> None:
    for one, other in zip(scores, others, strict=True):
        assert one.depression_probability == pytest.approx(other.depression_probability, abs=1e-4)
        assert one.valence == pytest.approx(other.valence, abs=1e-4)
        assert one.arousal == pytest.approx(other.arousal, abs=1e-4)


def test_padding_does_not_reach_the_score_of_a_masked_model(tmp_path: Path) -> None:
    tiny_encoder().save(tmp_path)
    scorer = Scorer(tmp_path, device="cpu")
    audio = (np.random.default_rng(1).normal(0, 3000, 2 * RATE)).astype(np.int16)
    padded = scorer._forward(*_batch(audio, 5 * RATE))
    exact = scorer._forward(*_batch(audio, 2 * RATE))
    assert torch.allclose(padded, exact, atol=2e-4)


def _batch(audio: Int16, length: int) -> tuple[Tensor, Tensor]:
    window = np.zeros(length, dtype=np.float32)
    window[: audio.size] = audio / 32768
    return torch.from_numpy(window)[None], torch.tensor([audio.size])


class SmallMemory:
    """A stand-in for a device whose memory holds `limit` samples."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.shapes: list[tuple[int, int]] = []

    def __call__(self, audio: Tensor, lengths: Tensor) -> Tensor:
        self.shapes.append((audio.shape[0], audio.shape[1]))
        if audio.numel() > self.limit:
            raise torch.OutOfMemoryError("the device is full")
        return torch.stack([audio.sum(1), lengths.float()], dim=1)


def test_a_full_memory_halves_the_batch_and_goes_on() -> None:
    memory = SmallMemory(limit=400)
    runner = BatchRunner(memory, torch.device("cpu"), batch_samples=1_600)
    windows = [np.full(100, index, dtype=np.float32) for index in range(11)]
    results = runner.run(windows, [100] * 11)
    assert results[:, 0].tolist() == [100.0 * index for index in range(11)]
    assert memory.shapes == [(16, 100), (8, 100), (4, 100), (4, 100), (4, 100)]


def test_a_window_that_never_fits_is_a_model_error() -> None:
    runner = BatchRunner(SmallMemory(limit=10), torch.device("cpu"), batch_samples=400)
    with pytest.raises(ModelError, match="single window of 100 samples"):
        runner.run([np.zeros(100, dtype=np.float32)], [100])


def test_results_come_back_in_the_order_of_the_windows_whatever_their_lengths() -> None:
    windows = [np.full(size, 1.0, dtype=np.float32) for size in (30, 10, 20, 10, 30)]
    for runner in (
        BatchRunner(SmallMemory(10_000), torch.device("cpu"), batch_samples=60),
        SoloRunner(SmallMemory(10_000), threads=2),
    ):
        assert runner.run(windows, [3, 1, 2, 1, 3])[:, 0].tolist() == [30.0, 10.0, 20.0, 10.0, 30.0]


def test_a_long_journal_streams_and_has_smaller_errors_than_its_first_seconds(model_dir: Path) -> None:
    scorer = Scorer(model_dir, device="cpu")
    audio = (np.random.default_rng(2).normal(0, 2000, 40 * RATE)).astype(np.int16)
    short, long = scorer.stream(iter([audio[: 3 * RATE], audio]))
    assert (short.n_windows, long.n_windows) == (1, 9)
    assert long.valence_se < short.valence_se
    assert long.depression_logit_se < short.depression_logit_se


def test_silence_has_a_score_and_int16_equals_float32(model_dir: Path, journals: list[Int16]) -> None:
    scorer = Scorer(model_dir, device="cpu")
    silent, as_int, as_float = scorer.score(
        [np.zeros(RATE, dtype=np.int16), journals[5], (journals[5] / 32768).astype(np.float32)]
    )
    assert 0 < silent.depression_probability < 1
    assert bits([as_int]) == bits([as_float])


def test_calibration_divides_the_logit_by_the_temperature(tmp_path: Path, journals: list[Int16]) -> None:
    encoder = tiny_encoder()
    encoder.save(tmp_path / "plain")
    encoder.affect = replace(encoder.affect, temperature=2.0)
    encoder.save(tmp_path / "calibrated")
    [plain], [calibrated] = (
        Scorer(tmp_path / name, device="cpu").score(journals[:1]) for name in ("plain", "calibrated")
    )
    assert plain.depression_logit == calibrated.depression_logit
    assert calibrated.depression_probability == pytest.approx(1 / (1 + np.exp(-plain.depression_logit / 2)))


def test_a_model_that_gives_no_number_is_a_model_error(tmp_path: Path, journals: list[Int16]) -> None:
    encoder = tiny_encoder()
    encoder.heads.weight.fill_(float("nan"))
    encoder.save(tmp_path)
    with pytest.raises(ModelError, match="not a number"):
        Scorer(tmp_path, device="cpu").score(journals[:1])


def test_a_folder_with_a_pickle_is_refused(tmp_path: Path) -> None:
    tiny_encoder().save(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    with pytest.raises(UnsafeModel, match=r"pytorch_model\.bin"):
        Scorer(tmp_path, device="cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_a_gpu_agrees_with_the_cpu_and_does_not_depend_on_company(model_dir: Path, journals: list[Int16]) -> None:
    cpu, gpu = Scorer(model_dir, device="cpu"), Scorer(model_dir, device="cuda")
    scores = gpu.score(journals)
    assert [bits(gpu.score([journal]))[0] for journal in journals] == bits(scores)
    assert_close(cpu.score(journals), scores)

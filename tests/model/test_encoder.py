"""The model: what a score depends on, and which folders are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from affect_pipeline.errors import ModelError, UnsafeModel
from affect_pipeline.model.encoder import AffectConfig, AffectiveEncoder, copy_model, folder_digest, tiny_encoder
from tests.audio import Voice, speech


@pytest.fixture(scope="module")
def model() -> AffectiveEncoder:
    return tiny_encoder()


def voice(duration_s: float = 2.0, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(speech(Voice(duration_s=duration_s, seed=seed)))


def test_padding_does_not_change_a_score(model: AffectiveEncoder):
    wave = voice()
    alone = model(wave[None], torch.tensor([wave.numel()]))
    padded = torch.nn.functional.pad(wave, (0, 16_000))[None]
    beside = model(padded, torch.tensor([wave.numel()]))
    torch.testing.assert_close(alone.embedding, beside.embedding, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(alone.valence, beside.valence, atol=1e-4, rtol=1e-4)


def test_the_level_of_a_recording_does_not_change_a_score(model: AffectiveEncoder):
    wave = voice()[None]
    lengths = torch.tensor([wave.shape[1]])
    torch.testing.assert_close(model(wave, lengths).valence, model(0.2 * wave, lengths).valence, atol=1e-3, rtol=1e-3)


def test_valence_and_arousal_stay_between_minus_one_and_one(model: AffectiveEncoder):
    waves = torch.stack([voice(seed=seed) for seed in range(4)])
    out = model(waves, torch.full((4,), waves.shape[1]))
    assert out.valence.abs().max() <= 1
    assert out.arousal.abs().max() <= 1
    assert out.embedding.shape == (4, model.embedding_size)
    assert out.emotion_logits is not None
    assert out.emotion_logits.shape == (4, 2)


@pytest.mark.parametrize("samples", [1, 100, 1000])
def test_even_the_shortest_audio_gets_a_finite_score(model: AffectiveEncoder, samples: int):
    padded = torch.zeros(1, 16_000)
    padded[0, :samples] = voice()[:samples]
    out = model(padded, torch.tensor([samples]))
    assert torch.isfinite(out.embedding).all()
    assert torch.isfinite(out.depression_logit).all()


def test_silence_gets_a_finite_score(model: AffectiveEncoder):
    out = model(torch.zeros(1, 16_000), torch.tensor([16_000]))
    assert torch.isfinite(out.embedding).all()


def test_a_saved_model_scores_as_before(model: AffectiveEncoder, tmp_path: Path):
    model.save(tmp_path / "a")
    loaded = AffectiveEncoder.load(tmp_path / "a")
    wave, lengths = voice()[None], torch.tensor([32_000])
    torch.testing.assert_close(model(wave, lengths).valence, loaded(wave, lengths).valence, atol=2e-2, rtol=0)
    assert loaded.affect == model.affect


def test_saving_twice_gives_the_same_digest(model: AffectiveEncoder, tmp_path: Path):
    model.save(tmp_path / "a")
    AffectiveEncoder.load(tmp_path / "a").save(tmp_path / "b")
    assert folder_digest(tmp_path / "a") == folder_digest(tmp_path / "b")


def test_the_digest_notices_weights_and_configuration_but_not_measurements(model: AffectiveEncoder, tmp_path: Path):
    model.save(tmp_path)
    before = folder_digest(tmp_path)
    (tmp_path / "evaluation.json").write_text("{}")
    assert folder_digest(tmp_path) == before
    for name in ("config.json", "affect.json", "model.safetensors"):
        kept = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(kept + b" ")
        assert folder_digest(tmp_path) != before
        (tmp_path / name).write_bytes(kept)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "extra.pkl", "modeling.py"])
def test_a_folder_with_a_pickle_or_code_is_refused(model: AffectiveEncoder, tmp_path: Path, name: str):
    model.save(tmp_path)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnsafeModel, match=name):
        AffectiveEncoder.load(tmp_path)


def test_a_missing_file_is_named(model: AffectiveEncoder, tmp_path: Path):
    model.save(tmp_path)
    (tmp_path / "affect.json").unlink()
    with pytest.raises(ModelError, match=r"affect\.json"):
        AffectiveEncoder.load(tmp_path)


def test_another_architecture_is_refused(model: AffectiveEncoder, tmp_path: Path):
    model.save(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="bert"):
        AffectiveEncoder.load(tmp_path)


def test_weights_of_another_size_are_refused(model: AffectiveEncoder, tmp_path: Path):
    model.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "hidden_size": 32}))
    with pytest.raises(ModelError, match="weights"):
        AffectiveEncoder.load(tmp_path)


def test_unknown_fields_of_the_configuration_are_refused(model: AffectiveEncoder, tmp_path: Path):
    model.save(tmp_path)
    (tmp_path / "affect.json").write_text('{"windows": 3}')
    with pytest.raises(ModelError, match="windows"):
        AffectiveEncoder.load(tmp_path)


WORDING = '{"emotions": ["sad", "happy"], "wordings": {%s}}'


@pytest.mark.parametrize(
    "text",
    [
        "7", "[]", "{", "[" * 3000, '{"pooled_layers": 5}', '{"window_s": "long"}',
        WORDING % '"valence": 3',
        WORDING % '"valence": {"gain": 1, "words_for": ["happy"]}',
        WORDING % '"valence": {"gain": 1, "words_for": ["happy"], "words_against": []}',
        WORDING % '"valence": {"gain": 1, "words_for": ["happy"], "words_against": ["bored"]}',
        WORDING % '"mood": {"gain": 1, "words_for": ["happy"], "words_against": ["sad"]}',
    ],
)  # fmt: skip
def test_a_configuration_that_makes_no_sense_is_refused(text: str):
    with pytest.raises(ModelError, match=r"affect\.json"):
        AffectConfig.from_json(text)


def test_copying_a_model_leaves_other_files_behind(model: AffectiveEncoder, tmp_path: Path):
    model.save(tmp_path / "a")
    (tmp_path / "a" / "notes.txt").write_text("mine")
    copy_model(tmp_path / "a", tmp_path / "b")
    assert folder_digest(tmp_path / "b") == folder_digest(tmp_path / "a")
    assert not (tmp_path / "b" / "notes.txt").exists()

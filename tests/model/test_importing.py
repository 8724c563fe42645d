from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2Model

from affect_pipeline.errors import GateFailed, ModelError, UnsafeModel
from affect_pipeline.model.encoder import AffectiveEncoder, folder_digest
from affect_pipeline.model.importing import import_wav2vec2
from affect_pipeline.model.lifecycle import check_gate
from affect_pipeline.model.provenance import verify_folder
from affect_pipeline.model.scorer import Scorer

SHAPE = {
    "hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 64,
    "conv_dim": (16,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
BASE = Wav2Vec2Config(**SHAPE)
LARGE = Wav2Vec2Config(**SHAPE, feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as the hub has them: an encoder with a task head on it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        Wav2Vec2ForCTC(BASE).save_pretrained(tmp_path / "source")
    return tmp_path / "source"


def encoder_weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(AffectiveEncoder.load(folder).wav2vec2.named_parameters())


@pytest.mark.parametrize("config", [BASE, LARGE], ids=["base", "large"])
def test_the_encoder_is_taken_over_whatever_its_kind(config: Wav2Vec2Config, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        original = Wav2Vec2Model(config)
    original.save_pretrained(tmp_path / "source")
    import_wav2vec2(tmp_path / "source", tmp_path / "model")
    ours = encoder_weights(tmp_path / "model")
    assert set(ours) == {name for name, _ in original.named_parameters()}
    for name, weight in original.named_parameters():
        assert torch.allclose(ours[name], weight, atol=1e-3), name


def test_an_imported_model_is_a_model_folder_that_says_its_heads_mean_nothing(source: Path, tmp_path: Path) -> None:
    affect = import_wav2vec2(source, tmp_path / "model", name="ours")
    assert verify_folder(tmp_path / "model") == folder_digest(tmp_path / "model")
    assert (affect.name, affect.pooled_layers) == ("ours", (1, 2, 3))
    assert "never fitted" in affect.depression_meaning
    [score] = Scorer(tmp_path / "model", device="cpu").score([np.ones(16_000, dtype=np.int16)])
    assert (score.depression_probability, score.valence, score.arousal) == (0.5, 0.0, 0.0)
    with pytest.raises(GateFailed, match="not measured"):
        check_gate({}, {"gate": {"auc": 0.9}})


def test_weights_in_several_files_are_read(tmp_path: Path) -> None:
    Wav2Vec2Model(BASE).save_pretrained(tmp_path / "source", max_shard_size="50KB")
    assert len(list((tmp_path / "source").glob("*.safetensors"))) > 1
    import_wav2vec2(tmp_path / "source", tmp_path / "model")
    assert len(encoder_weights(tmp_path / "model")) > 10


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_pickles_foreign_code_and_other_architectures_are_refused(source: Path, tmp_path: Path) -> None:
    (source / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(UnsafeModel, match=r"pytorch_model\.bin"):
        import_wav2vec2(source, tmp_path / "model")
    (source / "pytorch_model.bin").unlink()
    change_config(source, auto_map={"AutoModel": "modeling.Evil"})
    with pytest.raises(UnsafeModel, match="auto_map"):
        import_wav2vec2(source, tmp_path / "model")
    change_config(source, auto_map=None, model_type="hubert")
    with pytest.raises(ModelError, match="'hubert'"):
        import_wav2vec2(source, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_weights_that_do_not_fit_are_refused(source: Path, tmp_path: Path) -> None:
    change_config(source, hidden_size=64)
    with pytest.raises(ModelError, match=r"cannot be read|do not fit"):
        import_wav2vec2(source, tmp_path / "model")
    change_config(source, hidden_size=32, num_hidden_layers=6)
    with pytest.raises(ModelError, match="missing"):
        import_wav2vec2(source, tmp_path / "model")


def test_another_sampling_rate_missing_weights_and_a_full_folder_are_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ModelError, match="not empty"):
        import_wav2vec2(source, tmp_path / "full")
    (source / "preprocessor_config.json").write_text('{"sampling_rate": 8000}')
    with pytest.raises(ModelError, match="8000 Hz"):
        import_wav2vec2(source, tmp_path / "model")
    (source / "preprocessor_config.json").unlink()
    (source / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no safetensors"):
        import_wav2vec2(source, tmp_path / "model")

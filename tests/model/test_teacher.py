"""Teachers on disk, and the student that starts as the first layers of one."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperConfig, WhisperModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from affect_pipeline.errors import ModelError
from affect_pipeline.model import student as students
from affect_pipeline.model.encoder import AffectConfig, AffectiveEncoder, tiny_encoder
from affect_pipeline.model.front_end import FIRST, LEVEL, LogBands, sinusoids
from affect_pipeline.model.pooling import unit_power
from affect_pipeline.model.student import new_student
from affect_pipeline.model.teacher import Wav2Vec2Teacher, WhisperTeacher, last_frames, load_teacher, read_ctranslate2

SMALL = {"d_model": 64, "encoder_attention_heads": 1, "encoder_ffn_dim": 48, "num_mel_bins": 80}


def whisper(n_layers: int = 4) -> WhisperEncoder:
    torch.manual_seed(2)
    encoder = WhisperEncoder(WhisperConfig(encoder_layers=n_layers, **SMALL))
    for name, parameter in encoder.named_parameters():
        parameter.data = torch.randn_like(parameter) * (1.0 if "norm" in name else 0.2)
    encoder.embed_positions.weight.data = sinusoids(torch.arange(1500), 64)
    return encoder


@pytest.fixture(scope="module")
def waves() -> torch.Tensor:
    return torch.randn(2, 16_000, generator=torch.Generator().manual_seed(1)) * 0.07


def write_ctranslate2(file: Path, encoder: WhisperEncoder, dtype: str = "f4", name: str = "WhisperSpec") -> None:
    """Write an encoder as CTranslate2 does: a header, then named tensors."""
    state = {key: value.numpy() for key, value in encoder.state_dict().items()}
    tensors = {f"{conv}/{part}": state[f"{conv}.{part}"] for conv in ("conv1", "conv2") for part in ("weight", "bias")}
    tensors |= {"layer_norm/gamma": state["layer_norm.weight"], "layer_norm/beta": state["layer_norm.bias"]}
    for i in range(encoder.config.encoder_layers):
        ours, theirs = f"layers.{i}.", f"layer_{i}/"
        for norm, where in (
            ("self_attn_layer_norm", "self_attention/layer_norm"),
            ("final_layer_norm", "ffn/layer_norm"),
        ):
            tensors[f"{theirs}{where}/gamma"] = state[f"{ours}{norm}.weight"]
            tensors[f"{theirs}{where}/beta"] = state[f"{ours}{norm}.bias"]
        weights = [state[f"{ours}self_attn.{x}_proj.weight"] for x in "qkv"]
        none = np.zeros(64, np.float32)
        biases = [state.get(f"{ours}self_attn.{x}_proj.bias", none) for x in "qkv"]
        tensors[f"{theirs}self_attention/linear_0/weight"] = np.concatenate(weights)
        tensors[f"{theirs}self_attention/linear_0/bias"] = np.concatenate(biases)
        for where, inner in (
            ("self_attention/linear_1", "self_attn.out_proj"),
            ("ffn/linear_0", "fc1"),
            ("ffn/linear_1", "fc2"),
        ):
            tensors[f"{theirs}{where}/weight"] = state[f"{ours}{inner}.weight"]
            tensors[f"{theirs}{where}/bias"] = state[f"{ours}{inner}.bias"]
    named = {f"encoder/{key}": value.astype(dtype) for key, value in tensors.items()}
    named["decoder/scale"] = np.array(1.0, np.float32)
    codes = {"f4": 0, "i1": 1, "f2": 4}
    with file.open("wb") as out:

        def text(value: str) -> None:
            out.write(struct.pack("<H", len(value) + 1) + value.encode() + b"\0")

        out.write(struct.pack("<I", 6))
        text(name)
        out.write(struct.pack("<II", 3, len(named)))
        for key, value in named.items():
            text(key)
            out.write(struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape))
            out.write(struct.pack("<BI", codes.get(value.dtype.str[1:], 0), value.nbytes) + value.tobytes())


def test_a_ctranslate2_whisper_says_what_the_same_whisper_says_elsewhere(tmp_path: Path, waves: torch.Tensor):
    encoder = whisper()
    write_ctranslate2(tmp_path / "model.bin", encoder)
    (tmp_path / "vocabulary.json").write_text("[]")
    teacher, original = load_teacher(tmp_path), WhisperTeacher(encoder)
    assert teacher.width == 64
    for ours, theirs in zip(teacher.states(waves), original.states(waves), strict=True):
        assert ours.shape == (2, 50, 64)
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(("dtype", "name", "words"), [("i1", "WhisperSpec", "quantised"), ("f4", "Other", "Other")])
def test_another_model_of_ctranslate2_is_refused(tmp_path: Path, dtype: str, name: str, words: str):
    write_ctranslate2(tmp_path / "model.bin", whisper(1), dtype, name)
    with pytest.raises(ModelError, match=words):
        read_ctranslate2(tmp_path / "model.bin")


def test_a_file_that_breaks_off_is_refused(tmp_path: Path):
    write_ctranslate2(tmp_path / "model.bin", whisper(1))
    content = (tmp_path / "model.bin").read_bytes()
    (tmp_path / "model.bin").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="can be read"):
        read_ctranslate2(tmp_path / "model.bin")


def test_states_are_those_that_whisper_computes(waves: torch.Tensor):
    encoder = whisper().eval()
    teacher = WhisperTeacher(encoder)
    states = teacher.states(torch.nn.functional.pad(waves[:1], (0, 29 * 16_000)))
    mel = teacher._features(
        torch.nn.functional.pad(waves[0], (0, 29 * 16_000)).numpy(), sampling_rate=16_000, return_tensors="pt"
    ).input_features
    with torch.inference_mode():
        whole = encoder(mel).last_hidden_state
    assert torch.allclose(states[-1], whole, atol=1e-4)
    assert len(teacher.states(waves, 2)) == 3


def test_a_student_starts_as_the_first_layers_of_its_teacher(monkeypatch: pytest.MonkeyPatch, waves: torch.Tensor):
    monkeypatch.setattr(students, "FEED_FORWARD", 48)
    teacher = WhisperTeacher(whisper())
    student = new_student(teacher, waves)
    encoder = student.eval().wav2vec2.encoder
    states = teacher.states(waves)
    positions = torch.arange(50)
    assert torch.equal(encoder.pos_conv_embed(states[0])[0], sinusoids(positions + FIRST, 64))
    with torch.inference_mode():
        for i, layer in enumerate(encoder.layers):
            assert torch.allclose(layer(states[i]), states[i + 1], atol=1e-4)


def test_units_that_hardly_vary_are_dropped_as_their_mean(monkeypatch: pytest.MonkeyPatch, waves: torch.Tensor):
    monkeypatch.setattr(students, "FEED_FORWARD", 40)
    encoder = whisper()
    for layer in encoder.layers:
        layer.fc1.weight.data[::6] *= 1e-3  # eight units that say nearly the same of everything
    teacher = WhisperTeacher(encoder)
    student = new_student(teacher, waves).eval()
    states = teacher.states(waves)
    with torch.inference_mode():
        for i, layer in enumerate(student.wav2vec2.encoder.layers):
            assert layer.feed_forward.intermediate_dense.out_features == 40
            assert torch.allclose(layer(states[i]), states[i + 1], atol=0.05)


def test_an_untrained_student_hears_nearly_what_its_teacher_hears(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(students, "FEED_FORWARD", 48)
    teacher = WhisperTeacher(whisper())
    noise = torch.randn(8, 32_000, generator=torch.Generator().manual_seed(4))
    loud = unit_power(noise.cumsum(1) - noise.cumsum(1).mean(1, keepdim=True) + noise, torch.full((8,), 32_000))
    student = new_student(teacher, loud * LEVEL).eval()
    lengths = torch.tensor([32_000, 20_000])
    heard = loud[:2] * (torch.arange(32_000) < lengths[:, None])
    with torch.inference_mode():
        states, mask = student.frames(heard, lengths)
    for row, length in enumerate(lengths.tolist()):
        taught = teacher.states(unit_power(heard[row : row + 1, :length], lengths[row : row + 1]) * LEVEL, 3)
        for ours, theirs in zip(states, taught, strict=True):
            n = min(int(mask[row].sum()), theirs.shape[1] - 1)
            close = torch.nn.functional.cosine_similarity(ours[row, :n], theirs[0, 1 : n + 1], dim=-1)
            assert close[2:-2].mean() > 0.97


def test_a_student_is_saved_with_what_takes_the_place_of_its_parts(tmp_path: Path, waves: torch.Tensor):
    student = new_student(WhisperTeacher(whisper()), waves).eval()
    student.save(tmp_path)
    loaded = AffectiveEncoder.load(tmp_path)
    lengths = torch.tensor([16_000, 9_000])
    with torch.inference_mode():
        again, before = (model.raw_embedding(waves, lengths) for model in (loaded, student))
    assert torch.allclose(again, before, rtol=0.05, atol=0.05)
    assert not [name for name in loaded.state_dict() if "pos_conv" in name or "conv_layers.0" in name]


@pytest.mark.parametrize("change", [{"first_layer": "log-bands"}, {"positions": "none"}])
def test_an_unknown_part_is_refused(tmp_path: Path, change: dict[str, str]):
    encoder = tiny_encoder()
    encoder.save(tmp_path)
    about = json.loads((tmp_path / "affect.json").read_text())
    (tmp_path / "affect.json").write_text(json.dumps(about | change))
    with pytest.raises(ModelError, match=next(iter(change))):
        AffectiveEncoder.load(tmp_path)


def test_log_bands_stand_for_a_convolution_of_their_shape_only():
    with pytest.raises(ModelError, match="as a convolution"):
        AffectiveEncoder(tiny_encoder().config, AffectConfig(first_layer="log bands"))


def test_log_bands_are_those_of_a_whisper(waves: torch.Tensor):
    loud = unit_power(waves, torch.tensor([16_000, 16_000]))
    theirs = (
        WhisperTeacher(whisper(1))
        ._features(list((loud * LEVEL).numpy()), sampling_rate=16_000, padding=False, return_tensors="pt")
        .input_features
    )
    ours = LogBands()(loud[:, None])
    assert ours.shape == (2, 80, 98)
    assert torch.allclose(ours[..., 2:], theirs[..., 2:98], atol=0.01)


def test_a_teacher_that_is_too_shallow_is_refused(waves: torch.Tensor):
    with pytest.raises(ModelError, match="2 layers"):
        new_student(WhisperTeacher(whisper(2)), waves)


def test_a_folder_that_is_no_teacher_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match=r"model\.bin"):
        load_teacher(tmp_path)


def test_a_hugging_face_encoder_can_teach(tmp_path: Path, waves: torch.Tensor):
    tiny_encoder().wav2vec2.save_pretrained(tmp_path)
    teacher = load_teacher(tmp_path)
    assert isinstance(teacher, Wav2Vec2Teacher)
    assert [tuple(state.shape) for state in teacher.states(waves, 1)] == [(2, 50, 16)] * 2
    frames = last_frames(teacher, waves[0].numpy())
    assert frames.shape == (50, 16)
    assert np.isfinite(frames).all()
    student = new_student(teacher, waves)
    assert student.config.hidden_size == 16
    assert student.affect.positions == "convolutional"


def test_a_hugging_face_whisper_can_teach(tmp_path: Path, waves: torch.Tensor):
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "vocab_size": 64}
    WhisperModel(
        WhisperConfig(encoder_layers=3, decoder_layers=1, decoder_attention_heads=1, **tokens, **SMALL)
    ).save_pretrained(tmp_path)
    assert isinstance(load_teacher(tmp_path), WhisperTeacher)
    assert last_frames(load_teacher(tmp_path), waves[0, :4000].numpy()).shape == (13, 64)

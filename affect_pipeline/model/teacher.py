"""Teachers: encoders on disk whose hidden states a student learns to have.

A teacher folder is either a Hugging Face one (Wav2Vec2, WavLM, HuBERT or Whisper, with ``config.json``
and safetensors) or Whisper in CTranslate2 form (``model.bin`` beside ``vocabulary.*``). Both kinds give
50 frames a second; teachers are tools of training only and never ship.

How something was said is best heard in the middle of a recogniser: its last layers keep what was said and forget how.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from affect_pipeline.errors import ModelError
from affect_pipeline.model.front_end import sinusoids

SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_FRAME = 320
WHISPER_CHUNK_S = 28.0
"""Whisper sees 30 s at most; chunks leave room for the silence that is appended."""
TAIL_S = 0.5
"""Silence appended to a chunk, so that its last words are heard in full."""


class Teacher(Protocol):
    """What distillation needs of a teacher.

    Parameters
    ----------
    width : int
        Size of a hidden state.
    ahead : int
        The student's frame i, centred at sample 320 i + 360, is nearest to the teacher's frame i + `ahead`.
    """

    width: int
    ahead: int

    def states(self, waves: Tensor, n_layers: int | None = None) -> tuple[Tensor, ...]:
        """Return the input of the first layer and the outputs of the first `n_layers` (of all for None).

        Each is (B, ceil(T / 320), width), for mono audio (B, T) at 16 kHz. The output of the last layer is normed.
        """
        ...


def load_teacher(folder: Path) -> Teacher:
    """Open the teacher in a folder, whichever of the known kinds it is.

    Parameters
    ----------
    folder : Path
        A Hugging Face model folder, or one with a CTranslate2 Whisper.

    Raises
    ------
    ModelError
        If the folder holds neither.
    """
    if (folder / "model.bin").exists() and any(folder.glob("vocabulary.*")):
        return WhisperTeacher(read_ctranslate2(folder / "model.bin"))
    if (folder / "config.json").exists() and any(folder.glob("*.safetensors")):
        return _hugging_face(folder)
    raise ModelError(
        f"{folder} is not a teacher: it needs model.bin and vocabulary.* (CTranslate2 Whisper), "
        "or config.json and *.safetensors (Hugging Face Wav2Vec2, WavLM, HuBERT, Whisper)"
    )


def last_frames(teacher: Teacher, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the teacher's last layer, 50 frames a second, for a whole recording of any length; shape (F, width)."""
    step, tail = int(WHISPER_CHUNK_S * SAMPLE_RATE_HZ), int(TAIL_S * SAMPLE_RATE_HZ)
    frames = []
    for start in range(0, max(samples.size, 1), step):
        chunk = samples[start : start + step]
        with torch.inference_mode():
            state = teacher.states(torch.from_numpy(np.pad(chunk, (0, tail)))[None])[-1][0]
        frames.append(state[: -(-chunk.size // SAMPLES_PER_FRAME)].numpy())
    return np.concatenate(frames)


class WhisperTeacher:
    """The encoder of a Whisper.

    Short audio is encoded as it is, not padded to 30 s as the decoder would want: a tenth of the time, and
    the cosine between both encodings is 0.96 to 0.98.

    Parameters
    ----------
    encoder : transformers' WhisperEncoder
        With its weights.
    """

    ahead = 1

    def __init__(self, encoder: Any) -> None:
        from transformers import WhisperFeatureExtractor

        self.encoder = encoder.eval().requires_grad_(False)
        self.width = int(encoder.config.d_model)
        self._features: Any = cast(Any, WhisperFeatureExtractor)(feature_size=encoder.config.num_mel_bins)

    @property
    def convolutions(self) -> tuple[nn.Conv1d, nn.Conv1d]:
        """What stands between its band energies and its layers."""
        return self.encoder.conv1, self.encoder.conv2

    def states(self, waves: Tensor, n_layers: int | None = None) -> tuple[Tensor, ...]:
        """Return the input of the first layer and the outputs of the first `n_layers`."""
        padded = nn.functional.pad(waves, (0, -waves.shape[1] % SAMPLES_PER_FRAME))
        with torch.autocast("cpu", enabled=False):
            mel = self._features(
                list(padded.numpy()), sampling_rate=SAMPLE_RATE_HZ, padding=False, return_tensors="pt"
            ).input_features
        gelu = nn.functional.gelu
        hidden = gelu(self.encoder.conv2(gelu(self.encoder.conv1(mel)))).transpose(1, 2)
        hidden = hidden + self.encoder.embed_positions.weight[: hidden.shape[1]]
        found = [hidden]
        for layer in self.encoder.layers[:n_layers]:
            hidden = layer(hidden, None)
            found.append(hidden)
        if len(found) > len(self.encoder.layers):
            found[-1] = self.encoder.layer_norm(hidden)
        return tuple(found)


class Wav2Vec2Teacher:
    """A Wav2Vec2, WavLM or HuBERT encoder.

    Parameters
    ----------
    model : transformers' Wav2Vec2Model, WavLMModel or HubertModel
        With its weights.
    """

    ahead = 0

    def __init__(self, model: Any) -> None:
        self._model = model.eval().requires_grad_(False)
        self.width = int(model.config.hidden_size)

    def states(self, waves: Tensor, n_layers: int | None = None) -> tuple[Tensor, ...]:
        """Return the input of the first layer and the outputs of the first `n_layers`."""
        n_frames = -(-waves.shape[1] // SAMPLES_PER_FRAME)
        scaled = (waves - waves.mean(1, keepdim=True)) / (waves.std(1, keepdim=True) + 1e-5)
        padded = nn.functional.pad(scaled, (0, 2 * SAMPLES_PER_FRAME))
        found = self._model(padded, output_hidden_states=True).hidden_states
        chosen = found if n_layers is None else found[: n_layers + 1]
        return tuple(_to_length(state, n_frames) for state in chosen)


def _to_length(state: Tensor, n_frames: int) -> Tensor:
    lacking = n_frames - state.shape[1]
    return torch.cat([state, state[:, -1:].expand(-1, lacking, -1)], 1) if lacking > 0 else state[:, :n_frames]


def _hugging_face(folder: Path) -> Teacher:
    import transformers

    kind = str(json.loads((folder / "config.json").read_text()).get("model_type"))
    if kind not in ("wav2vec2", "wavlm", "hubert", "whisper"):
        raise ModelError(f"a teacher of type {kind!r} is not known; use wav2vec2, wavlm, hubert or whisper")
    model: Any = transformers.AutoModel.from_pretrained(  # nosec B615 - a folder on this machine
        folder, use_safetensors=True, local_files_only=True
    )
    return WhisperTeacher(model.get_encoder()) if kind == "whisper" else Wav2Vec2Teacher(model)


_DTYPES = ("f4", "i1", "i2", "i4", "f2")
"""CTranslate2's types of numbers, in the order of its codes; bfloat16 and what follows is not read."""


def read_ctranslate2(file: Path) -> Any:
    """Return the encoder of a Whisper in CTranslate2 form as transformers' WhisperEncoder.

    The file is a header (version, name, revision) and named tensors, little-endian; see ``python/ctranslate2/specs/
    model_spec.py`` of CTranslate2.

    Raises
    ------
    ModelError
        If it is another kind of model, or its weights are quantised.
    """
    name, tensors = _read_tensors(file)
    if name != "WhisperSpec":
        raise ModelError(f"{file} holds a {name}, not a Whisper")
    if any(value.dtype.kind == "i" for key, value in tensors.items() if key.endswith("/weight")):
        raise ModelError(f"{file} is quantised: a teacher needs float32 or float16 weights")
    return _whisper_encoder({key[8:]: torch.from_numpy(value.astype(np.float32)) for key, value in tensors.items()})


def _read_tensors(file: Path) -> tuple[str, dict[str, NDArray[Any]]]:
    content = file.read_bytes()
    at = 4  # the version of the format

    def take(kind: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{kind}", content, at)
        at += struct.calcsize(kind)
        return int(value)

    def text() -> str:
        nonlocal at
        size = take("H")
        at += size
        return content[at - size : at - 1].decode()

    try:
        name = text()
        take("I")
        tensors: dict[str, NDArray[Any]] = {}
        for _ in range(take("I")):
            key = text()
            shape = [take("I") for _ in range(take("B"))]
            kind, size = take("B"), take("I")
            if key.startswith("encoder/"):
                tensors[key] = np.frombuffer(content[at : at + size], _DTYPES[kind]).reshape(shape)
            at += size
    except (struct.error, UnicodeDecodeError, IndexError, ValueError) as error:
        raise ModelError(f"{file} is not a model of CTranslate2 that can be read: {error}") from error
    return name, tensors


def _whisper_encoder(tensors: dict[str, Tensor]) -> Any:
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    n_layers = len({key.split("/")[0] for key in tensors if key.startswith("layer_") and key.count("/") > 1})
    width, n_mels = tensors["conv1/weight"].shape[:2]
    config = WhisperConfig(
        d_model=width, encoder_layers=n_layers, encoder_attention_heads=width // 64, num_mel_bins=n_mels,
        encoder_ffn_dim=tensors["layer_0/ffn/linear_0/weight"].shape[0], dropout=0.0, encoder_layerdrop=0.0,
    )  # fmt: skip
    encoder = WhisperEncoder(config)
    named = {f"{conv}.{part}": tensors[f"{conv}/{part}"] for conv in ("conv1", "conv2") for part in ("weight", "bias")}
    named["embed_positions.weight"] = sinusoids(torch.arange(config.max_source_positions), width)
    named |= _norm(tensors, "layer_norm", "layer_norm")
    for i in range(n_layers):
        named |= _layer(tensors, f"layer_{i}", f"layers.{i}")
    encoder.load_state_dict(named)
    return encoder


def _layer(tensors: dict[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    inside = f"{source}/self_attention"
    weights, biases = (tensors[f"{inside}/linear_0/{part}"].chunk(3) for part in ("weight", "bias"))
    named = {f"{target}.self_attn.{x}_proj.weight": value for x, value in zip("qkv", weights, strict=True)}
    named |= {f"{target}.self_attn.{x}_proj.bias": biases["qkv".index(x)] for x in "qv"}  # Whisper's keys have none
    for part in ("weight", "bias"):
        named[f"{target}.self_attn.out_proj.{part}"] = tensors[f"{inside}/linear_1/{part}"]
        named[f"{target}.fc1.{part}"] = tensors[f"{source}/ffn/linear_0/{part}"]
        named[f"{target}.fc2.{part}"] = tensors[f"{source}/ffn/linear_1/{part}"]
    return (
        named
        | _norm(tensors, f"{inside}/layer_norm", f"{target}.self_attn_layer_norm")
        | _norm(tensors, f"{source}/ffn/layer_norm", f"{target}.final_layer_norm")
    )


def _norm(tensors: dict[str, Tensor], source: str, target: str) -> dict[str, Tensor]:
    return {f"{target}.weight": tensors[f"{source}/gamma"], f"{target}.bias": tensors[f"{source}/beta"]}

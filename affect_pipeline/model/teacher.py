"""Teachers: encoders on disk whose frames a student learns to predict.

A teacher folder is either a Hugging Face one (Wav2Vec2, WavLM, HuBERT or Whisper, with ``config.json``
and safetensors) or Whisper in CTranslate2 form (``model.bin`` beside ``vocabulary.*``). Both kinds give
50 frames a second; teachers are tools of training only and never ship.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from affect_pipeline.errors import ModelError

SAMPLE_RATE_HZ = 16_000
SAMPLES_PER_FRAME = 320
WHISPER_CHUNK_S = 28.0
"""Whisper sees 30 s at most; chunks leave room for the silence that is appended."""
TAIL_S = 0.5
"""Silence appended to a chunk, so that its last words are heard in full."""


class Teacher(Protocol):
    """What distillation needs of a teacher."""

    width: int

    def frames(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return hidden states of shape (ceil(n / 320), width) for mono audio at 16 kHz, shape (n,)."""
        ...


def load_teacher(folder: Path, threads: int = 1) -> Teacher:
    """Open the teacher in a folder, whichever of the known kinds it is.

    Parameters
    ----------
    folder : Path
        A Hugging Face model folder, or one with a CTranslate2 Whisper.
    threads : int
        Compute threads of the teacher.

    Raises
    ------
    ModelError
        If the folder holds neither.
    """
    if (folder / "model.bin").exists() and any(folder.glob("vocabulary.*")):
        return CTranslate2Whisper(folder, threads)
    if (folder / "config.json").exists() and any(folder.glob("*.safetensors")):
        return HuggingFaceTeacher(folder)
    raise ModelError(
        f"{folder} is not a teacher: it needs model.bin and vocabulary.* (CTranslate2 Whisper), "
        "or config.json and *.safetensors (Hugging Face Wav2Vec2, WavLM, HuBERT, Whisper)"
    )


class CTranslate2Whisper:
    """The encoder of a Whisper in CTranslate2 form.

    Short audio is encoded as it is, not padded to 30 s as the decoder would want: a tenth of the time, and
    the cosine between both encodings is 0.96 to 0.98.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import ctranslate2  # a tool of training, not a dependency
        from transformers import WhisperFeatureExtractor

        self._ctranslate2 = ctranslate2
        self._model = ctranslate2.models.Whisper(
            str(folder), device="cpu", compute_type="float32", intra_threads=threads
        )
        self._features: Any = cast(Any, WhisperFeatureExtractor)(feature_size=self._model.n_mels)
        self.width = 0
        self.width = int(self.frames(np.zeros(SAMPLE_RATE_HZ, np.float32)).shape[1])

    def frames(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the encoder's last layer, 50 frames a second."""
        return np.concatenate([self._chunk(chunk) for chunk in _chunks(samples)])

    def _chunk(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        n_frames = -(-samples.size // SAMPLES_PER_FRAME)
        padded = np.zeros(n_frames * SAMPLES_PER_FRAME + int(TAIL_S * SAMPLE_RATE_HZ), np.float32)
        padded[: samples.size] = samples
        mel = self._features(padded, sampling_rate=SAMPLE_RATE_HZ, padding=False, return_tensors="np").input_features
        view = self._ctranslate2.StorageView.from_array(np.ascontiguousarray(mel, np.float32))
        return np.array(self._model.encode(view, to_cpu=True), np.float32)[0, :n_frames]


class HuggingFaceTeacher:
    """A Wav2Vec2, WavLM, HuBERT or Whisper encoder from a Hugging Face folder with safetensors."""

    def __init__(self, folder: Path) -> None:
        import torch
        import transformers

        kind = str(json.loads((folder / "config.json").read_text()).get("model_type"))
        if kind not in ("wav2vec2", "wavlm", "hubert", "whisper"):
            raise ModelError(f"a teacher of type {kind!r} is not known; use wav2vec2, wavlm, hubert or whisper")
        self._torch, self._is_whisper = torch, kind == "whisper"
        model: Any = transformers.AutoModel.from_pretrained(  # nosec B615 - a folder on this machine
            folder, use_safetensors=True, local_files_only=True
        )
        self._model = (model.get_encoder() if self._is_whisper else model).eval()
        self.width = int(model.config.d_model if self._is_whisper else model.config.hidden_size)
        if self._is_whisper:
            extractor: Any = transformers.WhisperFeatureExtractor
            self._features: Any = extractor(feature_size=model.config.num_mel_bins)

    def frames(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the last hidden layer, 50 frames a second."""
        return np.concatenate([self._chunk(chunk) for chunk in _chunks(samples)])

    def _chunk(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        n_frames = -(-samples.size // SAMPLES_PER_FRAME)
        with self._torch.inference_mode():
            if self._is_whisper:
                values = self._features(samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt").input_features
            else:
                scaled = (samples - samples.mean()) / (samples.std() + 1e-5)
                values = self._torch.from_numpy(np.pad(scaled, (0, 2 * SAMPLES_PER_FRAME)))[None]
            hidden = self._model(values).last_hidden_state[0, :n_frames].float().numpy()
        return np.pad(hidden, ((0, n_frames - len(hidden)), (0, 0)), mode="edge").astype(np.float32)


def _chunks(samples: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    step = int(WHISPER_CHUNK_S * SAMPLE_RATE_HZ)
    return [samples[start : start + step] for start in range(0, max(samples.size, 1), step)]

"""The affect model: a Wav2Vec 2.0 encoder, pooled states beside prosody, and heads.

A model is a folder of three files: ``config.json`` (a Hugging Face ``Wav2Vec2Config``), ``affect.json``
(`AffectConfig`: windowing, calibration, words) and ``model.safetensors``. What was measured about it lies beside
them in ``evaluation.json`` and is not part of its identity; a model for interviews may have ``fusion.json`` (what the
face and the timing add), whose digest is in ``affect.json``. Weights are data: safetensors only.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from affect_pipeline.errors import ModelError, UnsafeModel
from affect_pipeline.model.front_end import HOP, N_BANDS, WIDTH, LogBands, SinusoidalPositions
from affect_pipeline.model.pooling import Pooling, frame_mask, unit_power
from affect_pipeline.model.prosody import Prosody

CONFIG_FILE, AFFECT_FILE, WEIGHTS_FILE, METRICS_FILE, FUSION_FILE = (
    "config.json", "affect.json", "model.safetensors", "evaluation.json", "fusion.json",
)  # fmt: skip
UNSAFE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".py")
EMBEDDING_LIMIT = 4.0
"""Standardised features are clipped to this many SDs: one odd feature of a new device must not decide."""
CONVOLUTIONAL, LOG_BANDS, SINUSOIDAL = "convolutional", "log bands", "sinusoidal"
"""What the first convolution and the positions are: Wav2Vec 2.0's own, or those of `front_end.py`."""
HEADS = ("depression", "valence", "arousal")
"""In the order of the linear heads."""


@dataclass(frozen=True)
class Wording:
    """What emotion words add to the logit of a head: ``gain`` times the log-odds of words for it against others."""

    gain: float
    words_for: tuple[str, ...]
    words_against: tuple[str, ...]


@dataclass(frozen=True)
class AffectConfig:
    """Everything about a model that its weights do not say."""

    name: str = "affect-wav2vec2"
    sampling_rate_hz: int = 16_000
    window_s: float = 5.0
    pooled_layers: tuple[int, ...] = (0,)
    use_prosody: bool = True
    emotions: tuple[str, ...] = ()
    wordings: dict[str, Wording] = field(default_factory=dict)
    temperature: float = 1.0
    phq8_head: bool = False
    first_layer: str = CONVOLUTIONAL
    positions: str = CONVOLUTIONAL
    usual_sd: dict[str, float] = field(
        default_factory=lambda: {"depression_logit": 1.0, "valence": 0.3, "arousal": 0.3}
    )
    depression_meaning: str = (
        "low-mood proxy: acted sad against neutral, and less against calm, speech; not a clinical measure"
    )
    training: dict[str, Any] = field(default_factory=dict)
    licence: str = "CC-BY-NC-SA-4.0"

    @property
    def taught_by(self) -> set[str]:
        """Corpora whose questionnaires taught the depression head; none if acted moods did."""
        return set(self.training.get("depression", {}).get("corpora", {}))

    @classmethod
    def from_json(cls, text: str) -> AffectConfig:
        """Parse ``affect.json``.

        Raises
        ------
        ModelError
            If it is not a JSON object, or has fields that are unknown or of another type.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{AFFECT_FILE} is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise ModelError(f"{AFFECT_FILE} holds no JSON object")
        usual = asdict(cls())
        unknown = set(values) - set(usual)
        if unknown:
            raise ModelError(f"{AFFECT_FILE} has unknown fields {sorted(unknown)}")
        for name, value in values.items():
            if not isinstance(value, _JSON_TYPES.get(type(usual[name]), type(usual[name]))):
                raise ModelError(f"{AFFECT_FILE}: {name} is of the wrong type; usual is {usual[name]!r}")
        for name, other in (("first_layer", LOG_BANDS), ("positions", SINUSOIDAL)):
            if values.get(name, CONVOLUTIONAL) not in (CONVOLUTIONAL, other):
                raise ModelError(f"{AFFECT_FILE}: {name} is {CONVOLUTIONAL!r} or {other!r}")
        for name in ("pooled_layers", "emotions"):
            values[name] = tuple(values.get(name, ()))
        values["wordings"] = _wordings(values.get("wordings", {}), values["emotions"])
        return cls(**values)


_JSON_TYPES: dict[type, type | tuple[type, ...]] = {float: (float, int), tuple: list}
"""What JSON gives for a field of a type, where that is another type."""


def _wordings(written: dict[str, Any], emotions: tuple[str, ...]) -> dict[str, Wording]:
    found = {}
    for head, one in written.items():
        try:
            wording = Wording(float(one["gain"]), tuple(one["words_for"]), tuple(one["words_against"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{AFFECT_FILE}: the wording of {head} needs gain, words_for, words_against") from error
        unknown = [word for word in (*wording.words_for, *wording.words_against) if word not in emotions]
        if head not in HEADS or unknown or not (wording.words_for and wording.words_against):
            raise ModelError(f"{AFFECT_FILE}: wordings are of {HEADS}, in words among {emotions}; {head} has {one}")
        found[head] = wording
    return found


@dataclass(frozen=True)
class AffectOutput:
    """What the model says about a batch of windows; every tensor has the batch first."""

    depression_logit: Tensor
    valence: Tensor
    arousal: Tensor
    embedding: Tensor
    emotion_logits: Tensor | None
    phq8: Tensor | None = None


class AffectiveEncoder(nn.Module):
    """Wav2Vec 2.0 with pooling over frames and heads for depression, valence and arousal.

    A head is linear, and may add what the head for emotion words says (`Wording`).

    Parameters
    ----------
    config : Wav2Vec2Config
        Architecture of the encoder.
    affect : AffectConfig
        Windowing, pooled layers, calibration.
    """

    def __init__(self, config: Wav2Vec2Config, affect: AffectConfig) -> None:
        super().__init__()
        self.config, self.affect = config, affect
        self.wav2vec2 = Wav2Vec2Model(config)
        self._take_constants()
        self.pooling = Pooling(affect.pooled_layers)
        self.prosody = Prosody()
        n_prosody = self.prosody.n_summaries if affect.use_prosody else 0
        self.embedding_size = self.pooling.width(config.hidden_size) + n_prosody
        self.register_buffer("embedding_mean", torch.zeros(self.embedding_size))
        self.register_buffer("embedding_scale", torch.ones(self.embedding_size))
        self.embedding_mean: Tensor
        self.embedding_scale: Tensor
        self.heads = nn.Linear(self.embedding_size, 3)
        self.emotion_head = nn.Linear(self.embedding_size, len(affect.emotions)) if affect.emotions else None
        self.phq8_head = nn.Linear(self.embedding_size, 1) if affect.phq8_head else None

    def _take_constants(self) -> None:
        """Put in what takes the place of parts of the Wav2Vec 2.0, and is computed rather than loaded."""
        first = (self.config.conv_dim[0], self.config.conv_kernel[0], self.config.conv_stride[0])
        if self.affect.first_layer == LOG_BANDS:
            if first != (N_BANDS, WIDTH, HOP):
                raise ModelError(f"{LOG_BANDS} are {(N_BANDS, WIDTH, HOP)} as a convolution, not {first}")
            self.wav2vec2.feature_extractor.conv_layers[0] = LogBands()
        if self.affect.positions == SINUSOIDAL:
            self.wav2vec2.encoder.pos_conv_embed = cast(Any, SinusoidalPositions())

    def frames(self, input_values: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return all hidden states, each (B, F, H), and the mask (B, F) of frames inside the audio.

        Parameters
        ----------
        input_values : Tensor
            Mono audio (B, T) at 16 kHz, zero after ``lengths``; its level does not matter.
        lengths : Tensor
            Samples of each row that are audio, (B,) int64.
        """
        waves = unit_power(input_values, lengths)
        inside = (torch.arange(waves.shape[1], device=waves.device) < lengths[:, None]).long()
        # Models with group norm were trained without a mask (Hugging Face: feat_extract_norm="group").
        masked = self.config.feat_extract_norm == "layer" or self.affect.first_layer == LOG_BANDS
        mask = inside if masked else None
        states = self.wav2vec2(waves, attention_mask=mask, output_hidden_states=True).hidden_states
        n_frames: Any = self.wav2vec2._get_feat_extract_output_lengths(cast(torch.LongTensor, lengths))
        return tuple(states), frame_mask(n_frames, states[0].shape[1])

    def raw_embedding(self, input_values: Tensor, lengths: Tensor) -> Tensor:
        """Return pooled states and prosody (B, E) before standardisation."""
        states, mask = self.frames(input_values, lengths)
        pooled: Tensor = self.pooling(states, mask)
        if not self.affect.use_prosody:
            return pooled
        summaries = self.prosody.summaries(unit_power(input_values, lengths).float(), lengths)
        return torch.cat([pooled, summaries], -1)

    def standardise(self, raw: Tensor) -> Tensor:
        """Return embeddings (B, E) in SDs of the training recordings, clipped to `EMBEDDING_LIMIT`."""
        return ((raw - self.embedding_mean) * self.embedding_scale).clamp(-EMBEDDING_LIMIT, EMBEDDING_LIMIT)

    def predict(self, embedding: Tensor) -> AffectOutput:
        """Apply the heads to standardised embeddings (B, E)."""
        emotions = self.emotion_head(embedding) if self.emotion_head is not None else None
        depression, valence, arousal = self.logits(embedding, emotions).unbind(-1)
        phq8 = self.phq8_head(embedding).squeeze(-1) if self.phq8_head is not None else None
        # tanh(z / 2) = 2 sigmoid(z) - 1: valence and arousal are trained as logits.
        return AffectOutput(depression, torch.tanh(valence / 2), torch.tanh(arousal / 2), embedding, emotions, phq8)

    def logits(self, embedding: Tensor, emotions: Tensor | None) -> Tensor:
        """Return the logits (B, 3) of `HEADS`, from standardised embeddings (B, E) and logits of emotion words."""
        said = list(self.heads(embedding).unbind(-1))
        for head, wording in self.affect.wordings.items():
            assert emotions is not None, "wordings are checked to be in words that the model knows"
            odds = self._any_of(emotions, wording.words_for) - self._any_of(emotions, wording.words_against)
            said[HEADS.index(head)] = said[HEADS.index(head)] + wording.gain * odds
        return torch.stack(said, -1)

    def _any_of(self, emotions: Tensor, words: tuple[str, ...]) -> Tensor:
        return emotions[:, [self.affect.emotions.index(word) for word in words]].logsumexp(-1)

    def forward(self, input_values: Tensor, lengths: Tensor) -> AffectOutput:
        """Score windows of prepared audio.

        Parameters
        ----------
        input_values : Tensor
            (B, T) float32 at 16 kHz, zero after ``lengths``.
        lengths : Tensor
            (B,) int64, samples of each row that are audio.

        Returns
        -------
        AffectOutput
            The depression logit is uncalibrated: probability = sigmoid(logit / affect.temperature).
        """
        return self.predict(self.standardise(self.raw_embedding(input_values, lengths)))

    def save(self, folder: Path) -> None:
        """Write the model folder; weights in half precision, whose rounding costs nothing measurable."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: _half(name, value) for name, value in self.state_dict().items()}
        save_file(tensors, folder / WEIGHTS_FILE)
        (folder / CONFIG_FILE).write_text(self.config.to_json_string())
        (folder / AFFECT_FILE).write_text(json.dumps(asdict(self.affect), indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> AffectiveEncoder:
        """Read a model folder; the model is in evaluation mode and float32.

        Raises
        ------
        UnsafeModel
            If the folder holds a file that could run code when loaded.
        ModelError
            If files are missing, the architecture is unknown or the weights do not fit it.
        """
        check_folder(folder)
        config = Wav2Vec2Config.from_dict(json.loads((folder / CONFIG_FILE).read_text()))
        affect = AffectConfig.from_json((folder / AFFECT_FILE).read_text())
        # Weights are replaced at once: drawing random ones first would take most of the loading time.
        with torch.device("meta"):
            model = cls(config, affect)
        model.prosody = Prosody()
        model._take_constants()
        try:
            tensors = {name: value.float() for name, value in load_file(folder / WEIGHTS_FILE).items()}
            model.load_state_dict(tensors, assign=True)
        except (SafetensorError, RuntimeError) as error:
            raise ModelError(f"{folder / WEIGHTS_FILE} does not hold this architecture's weights: {error}") from error
        return model.eval().requires_grad_(False)


def check_folder(folder: Path) -> None:
    """Refuse a folder that is not a model, or not a safe one.

    Raises
    ------
    UnsafeModel
        For pickles and code.
    ModelError
        For missing files or another architecture.
    """
    names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    unsafe = [name for name in names if Path(name).suffix.lower() in UNSAFE_SUFFIXES]
    if unsafe:
        raise UnsafeModel(f"{folder} holds {unsafe}, which can run code when loaded; only safetensors are accepted")
    missing = [name for name in (CONFIG_FILE, AFFECT_FILE, WEIGHTS_FILE) if name not in names]
    if missing:
        raise ModelError(f"{folder} is not a model folder: {missing} missing; found {names}")
    kind = json.loads((folder / CONFIG_FILE).read_text()).get("model_type")
    if kind != "wav2vec2":
        raise ModelError(f"{folder} holds a model of type {kind!r}; only 'wav2vec2' is known")


def folder_digest(folder: Path) -> str:
    """Return the model's digest: SHA-256 over its two configurations and its weights, 64 hex characters."""
    digest = hashlib.sha256()
    for name in (AFFECT_FILE, CONFIG_FILE, WEIGHTS_FILE):
        content = (folder / name).read_bytes()
        digest.update(f"{name}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def read_metrics(folder: Path) -> dict[str, Any]:
    """Return what was measured about the model (``evaluation.json``), or nothing."""
    path = folder / METRICS_FILE
    return dict(json.loads(path.read_text())) if path.exists() else {}


def copy_model(source: Path, target: Path) -> None:
    """Copy the files of a model folder, and nothing else that may lie beside them."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG_FILE, AFFECT_FILE, WEIGHTS_FILE, METRICS_FILE, FUSION_FILE):
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)


def default_model_dir() -> Path:
    """Return the folder of the model that ships with the package."""
    return Path(__file__).parent / "default"


def tiny_encoder(seed: int = 0) -> AffectiveEncoder:
    """Return a model of a few thousand random weights: the real interface at no cost, for tests and dry runs."""
    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        conv_dim=(16, 16), conv_kernel=(400, 3), conv_stride=(160, 2),
        feat_extract_norm="layer", conv_bias=True, do_stable_layer_norm=True,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, apply_spec_augment=False,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        affect = AffectConfig(name="tiny", pooled_layers=(1, 2), emotions=("neutral", "sad"))
        return AffectiveEncoder(config, affect).eval().requires_grad_(False)


def _half(name: str, value: Tensor) -> Tensor:
    # The mean and scale of features span orders of magnitude; they are few and stay in full precision.
    keep = name.startswith("embedding_") or name.startswith(("heads", "emotion_head", "phq8_head"))
    return value.detach().contiguous().to(torch.float32 if keep else torch.float16)

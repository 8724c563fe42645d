"""The network of a model as ONNX: writing it, holding it against PyTorch, and opening what was written.

In the graph are the encoder, pooling, standardisation and the heads, for windows of any length. Prosody stays outside
and is an input: it costs little, and ONNX has no eigenvalues, which find formants. Beside the file lies what is known
of it: the digest of the model it was made from, its own SHA-256, how far it was from PyTorch, and, if a key was given,
a signature over both digests.
"""

from __future__ import annotations

import hashlib
import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from affect_pipeline.errors import DigestMismatch, ModelError, SettingsError, SignatureRefused
from affect_pipeline.files import atomic_path, read_json, write_json
from affect_pipeline.model.encoder import AffectiveEncoder, folder_digest
from affect_pipeline.model.pooling import unit_power

if TYPE_CHECKING:
    from affect_pipeline.settings import Settings

OPSET = 20
PARITY = 1e-3
"""Most that any output of a window may differ from PyTorch's."""


@dataclass(frozen=True)
class OnnxModel:
    """What is known of a network that was written.

    Parameters
    ----------
    model_digest : str
        Model it was made from.
    sha256 : str
        Of the file.
    worst_difference : float
        Largest difference to PyTorch that was seen when it was written.
    signature : str
        Ed25519 over both digests, base64; empty for none.
    """

    model_digest: str
    sha256: str
    worst_difference: float
    signature: str = ""

    @property
    def signed(self) -> str:
        """What a signature is over."""
        return f"onnx {self.model_digest} {self.sha256}"


class Network(nn.Module):
    """Windows and their prosody in, the scorer's columns out.

    Parameters
    ----------
    encoder : AffectiveEncoder
        Whose weights.
    """

    def __init__(self, encoder: AffectiveEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, audio: Tensor, lengths: Tensor, prosody: Tensor) -> Tensor:
        """Return depression logit, valence, arousal and embedding (1, 3 + E) of a window (1, T)."""
        states, mask = self.encoder.frames(audio, lengths)
        raw = torch.cat([self.encoder.pooling(states, mask), prosody], -1)
        out = self.encoder.predict(self.encoder.standardise(raw))
        return torch.cat([torch.stack([out.depression_logit, out.valence, out.arousal], 1), out.embedding], 1)


class OnnxForward:
    """A network that was opened, called as the encoder is: a `Forward` of `affect_pipeline.model.runners`.

    Parameters
    ----------
    encoder : AffectiveEncoder
        For prosody.
    network : bytes
        What `export_onnx` wrote, verified.
    """

    def __init__(self, encoder: AffectiveEncoder, network: bytes) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # several windows are run at once
        options.log_severity_level = 3
        self.encoder = encoder
        self._session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

    def __call__(self, audio: Tensor, lengths: Tensor) -> Tensor:
        """Return the columns (1, 3 + E) of a window (1, T)."""
        given = {"audio": audio, "lengths": lengths, "prosody": prosody_of(self.encoder, audio, lengths)}
        (columns,) = self._session.run(None, {name: value.numpy() for name, value in given.items()})
        return torch.from_numpy(columns)


def prosody_of(encoder: AffectiveEncoder, audio: Tensor, lengths: Tensor) -> Tensor:
    """Return the prosody (B, P) of windows as the encoder measures it; no columns for a model without."""
    if not encoder.affect.use_prosody:
        return audio.new_zeros((len(audio), 0))
    return encoder.prosody.summaries(unit_power(audio, lengths).float(), lengths)


def export_onnx(folder: Path, file: Path, key: Path | None = None) -> OnnxModel:
    """Write a model's network as ONNX, after holding it against PyTorch; what is known of it goes beside.

    Parameters
    ----------
    folder : Path
        Model folder.
    file : Path
        The file to write; ``file.json`` is written, too.
    key : Path, optional
        Private key that signs it.

    Raises
    ------
    ModelError
        If an output differs by more than `PARITY`; nothing is written then.
    SettingsError
        If the packages for writing are not installed.
    """
    encoder = AffectiveEncoder.load(folder)
    with atomic_path(file) as temporary:
        _write(encoder, temporary)
        worst = worst_difference(encoder, OnnxForward(encoder, temporary.read_bytes()))
        if not worst <= PARITY:
            raise ModelError(f"the network as ONNX differs from PyTorch by {worst:.2g}, more than {PARITY:g}")
        known = OnnxModel(folder_digest(folder), _sha256(temporary.read_bytes()), worst)
    if key is not None:
        from affect_pipeline.model.signing import sign_text

        known = OnnxModel(known.model_digest, known.sha256, known.worst_difference, sign_text(known.signed, key))
    write_json(asdict(known), beside(file))
    return known


def verify_onnx(settings: Settings, file: Path, model_digest: str) -> bytes:
    """Return a network; refuse one that was changed, is of another model, or is not signed by whom the settings trust.

    Raises
    ------
    DigestMismatch
        If the file was changed, or was made from another model.
    SignatureRefused
        If a key is configured and its owner has not signed it.
    """
    try:
        known, content = OnnxModel(**read_json(beside(file))), file.read_bytes()
    except (OSError, ValueError, TypeError) as error:
        raise DigestMismatch(f"{beside(file)} does not say what {file.name} is ({type(error).__name__})") from None
    if known.model_digest != model_digest:
        raise DigestMismatch(f"{file} was made from model {known.model_digest[:12]}, not from {model_digest[:12]}")
    if known.sha256 != _sha256(content):
        raise DigestMismatch(f"{file} is not what was written: its SHA-256 is another")
    if settings.model_public_key_file is not None:
        from affect_pipeline.model.signing import is_signed

        if not is_signed(known.signed, known.signature, settings.model_public_key_file):
            raise SignatureRefused(
                f"{file} is not signed by the owner of {settings.model_public_key_file}: "
                "`affect model export --onnx --key FILE` signs it"
            )
    return content


def worst_difference(encoder: AffectiveEncoder, forward: OnnxForward) -> float:
    """Return the largest difference of any output over windows of every length, full and padded, loud and silent."""
    from affect_pipeline.model.batching import BUCKET_STEP_S

    rate, rng = encoder.affect.sampling_rate_hz, np.random.default_rng(1)
    worst = 0.0
    for seconds in np.arange(encoder.affect.window_s, 0, -BUCKET_STEP_S):
        size = round(seconds * rate)
        for heard, level in ((size, 0.1), (size - rate // 3, 0.003), (size, 0.0)):
            audio = np.zeros((1, size), np.float32)
            # Noise with a slope and a beat, in which some frames count as voiced.
            audio[0, :heard] = level * np.cumsum(rng.normal(size=heard)) / np.sqrt(heard)
            worst = max(worst, _difference(encoder, forward, torch.from_numpy(audio), torch.tensor([heard])))
    return worst


def usual_file(settings: Settings, model_digest: str) -> Path:
    """Return where live analysis looks for the network of a model."""
    return settings.home / "models" / f"{model_digest}.onnx"


def beside(file: Path) -> Path:
    """Return where it is said what a network is."""
    return file.with_name(file.name + ".json")


def _difference(encoder: AffectiveEncoder, forward: OnnxForward, audio: Tensor, lengths: Tensor) -> float:
    with torch.inference_mode():
        ours = Network(encoder)(audio, lengths, prosody_of(encoder, audio, lengths))
        return float((ours - forward(audio, lengths)).abs().max())


def _write(encoder: AffectiveEncoder, file: Path) -> None:
    try:
        import onnxscript  # noqa: F401 - torch names it only in the middle of its work
    except ImportError:
        raise SettingsError("writing ONNX needs more packages: `pip install 'affect-pipeline[export]'`") from None
    size = round(encoder.affect.window_s * encoder.affect.sampling_rate_hz)
    audio, lengths = torch.randn(1, size) * 0.1, torch.tensor([size])
    given = (audio, lengths, prosody_of(encoder, audio, lengths))
    loud = [logging.getLogger(name) for name in ("torch.onnx", "onnx_ir", "onnxscript")]
    levels = [logger.level for logger in loud]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        for logger in loud:
            logger.setLevel(logging.ERROR)
        try:
            program: Any = torch.onnx.export(
                Network(encoder).eval(), given, dynamo=True, opset_version=OPSET, verbose=False,
                # Its optimiser takes an addition of 1e-8 for one of nothing, and silence is divided by zero then. The
                # runtime optimises for itself.
                optimize=False,
                dynamic_shapes=({1: torch.export.Dim.DYNAMIC}, None, None),
                input_names=["audio", "lengths", "prosody"], output_names=["columns"],
            )  # fmt: skip
            program.save(file, external_data=False)
        finally:
            for logger, level in zip(loud, levels, strict=True):
                logger.setLevel(level)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

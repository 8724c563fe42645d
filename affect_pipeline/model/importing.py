"""Makes a model folder of any local Hugging Face Wav2Vec 2.0 folder: base, large, with or without a task head.

The encoder's weights are taken as they are. Affect heads are new: until they are fitted on a corpus,
they say nothing, and the gate keeps such a model from becoming champion.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from affect_pipeline.errors import ModelError
from affect_pipeline.model.encoder import AffectConfig, AffectiveEncoder
from affect_pipeline.model.provenance import read_config, refuse_code

UNFITTED = "none: the heads of this model were never fitted, its scores mean nothing"
SAMPLING_RATE_HZ = 16_000


def import_wav2vec2(source: Path, target: Path, name: str | None = None) -> AffectConfig:
    """Write a model folder with the encoder of a Hugging Face folder and unfitted heads.

    Parameters
    ----------
    source : Path
        Folder with ``config.json`` and ``model.safetensors`` (one file or several with an index).
    target : Path
        Folder to write; must not exist or be empty.
    name : str, optional
        Name of the model; by default that of the source folder.

    Returns
    -------
    AffectConfig
        What was written to ``affect.json``.

    Raises
    ------
    UnsafeModel
        If the folder holds a pickle or wants to bring code of its own.
    ModelError
        If it is no Wav2Vec 2.0, lacks weights, or was made for another sampling rate.
    """
    refuse_code(source)
    check_sampling_rate(source)
    if target.exists() and any(target.iterdir()):
        raise ModelError(f"{target} is not empty; name a new folder")
    if not list(source.glob("*.safetensors")):
        raise ModelError(f"{source} holds no safetensors; convert the weights where you trust them, then import")
    encoder = load_encoder(source)
    n_layers = int(encoder.config.num_hidden_layers)
    affect = AffectConfig(
        name=name or source.resolve().name,
        # Middle layers hear how things are said best, the last ones what is said
        # (Pasad et al. 2021, https://arxiv.org/abs/2107.04734).
        pooled_layers=tuple(sorted({max(1, round(n_layers * share)) for share in (0.25, 0.5, 0.75)})),
        depression_meaning=UNFITTED,
        licence="as the imported encoder's",
    )
    model = AffectiveEncoder(encoder.config, affect)
    model.wav2vec2.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        for parameter in model.heads.parameters():
            parameter.zero_()  # unfitted heads say the same of everybody, not something at random
    model.eval().save(target)
    return affect


def load_encoder(source: Path) -> Wav2Vec2Model:
    """Load the encoder of a checked Hugging Face folder, whatever task head stands on it.

    Raises
    ------
    ModelError
        If the weights do not fit the configuration.
    """
    config = Wav2Vec2Config.from_dict(read_config(source))
    logger = logging.getLogger("transformers.modeling_utils")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of every weight of a task head that is left out
    try:
        model, report = _from_pretrained(source, config)
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"the weights in {source} cannot be read: {error}") from error
    finally:
        logger.setLevel(level)
    # The mask embedding is only used in training; some checkpoints leave it out.
    missing = sorted(set(report["missing_keys"]) - {"masked_spec_embed"})
    if missing or report["mismatched_keys"]:
        raise ModelError(
            f"the weights in {source} do not fit its configuration: {len(missing)} missing "
            f"({', '.join(missing[:3])}), {len(report['mismatched_keys'])} of another shape"
        )
    model.train(False)
    return model


def _from_pretrained(source: Path, config: Wav2Vec2Config) -> tuple[Wav2Vec2Model, dict[str, Any]]:
    loaded: Any = Wav2Vec2Model.from_pretrained(  # nosec B615 - a folder on this machine, nothing is fetched
        str(source),
        config=config,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
        dtype=torch.float32,
    )
    model, report = loaded
    return model, report


def check_sampling_rate(source: Path) -> None:
    """Refuse an encoder that was made for another sampling rate than 16 kHz.

    Raises
    ------
    ModelError
        If ``preprocessor_config.json`` names another one.
    """
    path = source / "preprocessor_config.json"
    if not path.exists():
        return
    from affect_pipeline.files import read_json

    rate = read_json(path).get("sampling_rate", SAMPLING_RATE_HZ)
    if rate != SAMPLING_RATE_HZ:
        raise ModelError(f"{source} was made for {rate} Hz; prepared audio has {SAMPLING_RATE_HZ} Hz")

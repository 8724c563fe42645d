"""Which model the live analysis uses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from affect_pipeline.errors import AffectError

if TYPE_CHECKING:
    from affect_pipeline.serving.inference import ScoresAudio
    from affect_pipeline.settings import Settings

log = logging.getLogger(__name__)


def champion(settings: Settings, model_dir: Path | None = None) -> Callable[[], ScoresAudio]:
    """Return a function that loads the scorer.

    Parameters
    ----------
    settings : Settings
        Where the registry is.
    model_dir : Path, optional
        A model folder to use instead of the registry's champion.

    Returns
    -------
    callable
        Loads the given folder; without one the champion of the registry; and where there is no
        registry or no champion yet, the model that ships with the package.
    """

    def load() -> ScoresAudio:
        from affect_pipeline.model.live import live_scorer

        folder = model_dir or champion_folder(settings)
        log.info("live analysis uses the model in %s", folder)
        return cast("ScoresAudio", live_scorer(settings, folder))

    return load


def packaged() -> ScoresAudio:
    """Load the model that ships with the package."""
    from affect_pipeline.model.encoder import default_model_dir
    from affect_pipeline.model.scorer import Scorer

    return cast("ScoresAudio", Scorer(default_model_dir()))


def champion_folder(settings: Settings) -> Path:
    """Return the folder of the registry's champion; where there is none, of the model that ships with the package."""
    from affect_pipeline.model.encoder import default_model_dir

    try:
        from affect_pipeline.model.registry import resolve

        return Path(resolve(settings).folder)
    except AffectError as error:
        log.warning("no champion in the registry, using the packaged model: %s", error)
        return default_model_dir()

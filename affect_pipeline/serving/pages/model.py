"""*Model*: what listens, how good it is, and what it must not be used for."""

from __future__ import annotations

import logging
import re
from typing import Any

from fastapi import APIRouter, Request, Response

from affect_pipeline.errors import AffectError
from affect_pipeline.model.lookup import find_alias
from affect_pipeline.serving.access import Reader, database_of
from affect_pipeline.serving.inference import InferenceQueue
from affect_pipeline.serving.pages.render import page
from affect_pipeline.settings import Settings

router = APIRouter()
MODELS = 20
log = logging.getLogger(__name__)


@router.get("/dashboard/model", name="model_page")
def model_page(request: Request, person: Reader) -> Response:
    """Show the models that scored anything, and the one that live analysis uses."""
    with database_of(request).as_person(person.login) as queries:
        models = queries.rows("list_models", page_size=MODELS)
    roles = roles_of_models(request.app.state.settings)
    inference: InferenceQueue = request.app.state.inference
    scorer: Any = inference.scorer
    return page(
        request,
        "model.html",
        title="Model",
        models=[
            {**model, "figures": figures(model["metrics"]), "role": roles.get(model["model_digest"], "")}
            for model in models
        ],
        live=_live(scorer),
        loading=scorer is None and inference.failure is None,
    )


def roles_of_models(settings: Settings) -> dict[str, str]:
    """Return the role of each model that has one in the registry, by digest.

    Parameters
    ----------
    settings : Settings
        Where the registry is. Where it cannot be reached, no roles are shown: the page is about what scored.
    """
    roles: dict[str, str] = {}
    for alias in ("challenger", "champion"):
        try:
            version = find_alias(settings, alias)
        except AffectError as error:
            log.warning("the registry was not asked for the %s: %s", alias, error)
            continue
        if version is not None:
            roles[version.digest] = alias
    return roles


def figures(metrics: Any) -> list[tuple[str, str]]:
    """Return the metrics of a model card as pairs of words, nested names joined.

    Parameters
    ----------
    metrics : object
        A mapping of names to numbers, or to further mappings.
    """
    if not isinstance(metrics, dict):
        return []
    found: list[tuple[str, str]] = []
    for name, value in sorted(metrics.items()):
        label = re.sub(r"[_/.]+", " ", str(name))
        if isinstance(value, dict):
            found += [(f"{label}: {inner}", text) for inner, text in figures(value)]
        elif isinstance(value, bool | int | float | str):
            found.append((label, f"{value:.3g}" if isinstance(value, float) else str(value)))
    return found


def _live(scorer: Any) -> dict[str, str] | None:
    if scorer is None:
        return None
    affect = scorer.affect
    return {
        "name": affect.name,
        "digest": scorer.digest,
        "meaning": affect.depression_meaning,
        "licence": affect.licence,
        "window_s": f"{affect.window_s:g}",
    }

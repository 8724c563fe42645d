"""*Model*: what listens, how good it is, and what it must not be used for."""

from __future__ import annotations

import logging
import re
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from affect_pipeline.errors import AffectError
from affect_pipeline.model.lookup import find_alias
from affect_pipeline.serving import charts
from affect_pipeline.serving.access import Reader, database_of
from affect_pipeline.serving.agreement import Agreement, AgreementCache, chart_rows, interval
from affect_pipeline.serving.database import Queries
from affect_pipeline.serving.inference import InferenceQueue
from affect_pipeline.serving.pages.assets import vega_version
from affect_pipeline.serving.pages.render import page
from affect_pipeline.serving.paging import answer
from affect_pipeline.serving.problems import not_found
from affect_pipeline.settings import Settings

router = APIRouter()
MODELS = 20
ModelDigest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
log = logging.getLogger(__name__)


@router.get("/dashboard/model", name="model_page")
def model_page(request: Request, person: Reader) -> Response:
    """Show the models that scored anything, and the one that live analysis uses."""
    with database_of(request).as_person(person.login) as queries:
        models = queries.rows("list_models", page_size=MODELS)
        found = _agreement(request, queries, person.login)
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
        n_answered=found.n_answered,
        agreement=[(digest, *found.of_model(digest)) for digest in found.models],
        interval=interval,
        vega=vega_version(),
    )


@router.get("/dashboard/model/charts/{digest}/phq.json", name="agreement_chart")
def agreement_chart(request: Request, person: Reader, digest: ModelDigest) -> Response:
    """Return correlations of one model's channels with the PHQ as Vega-Lite."""
    return answer(request, _agreement_chart(request, person.login, digest))


@router.get("/dashboard/model/charts/{digest}/phq.png", name="agreement_picture")
def agreement_picture(request: Request, person: Reader, digest: ModelDigest) -> Response:
    """Return the same chart as a picture."""
    return Response(charts.to_png(_agreement_chart(request, person.login, digest)), media_type="image/png")


def _agreement_chart(request: Request, login: str, digest: str) -> charts.Spec:
    with database_of(request).as_person(login) as queries:
        rows = chart_rows(_agreement(request, queries, login).of_model(digest)[0])
    if not rows:
        raise not_found("chart")
    return charts.agreement_chart(rows)


def _agreement(request: Request, queries: Queries, login: str) -> Agreement:
    cache: AgreementCache = request.app.state.agreement
    return cache.get(queries, login)


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

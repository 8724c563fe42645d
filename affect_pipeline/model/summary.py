"""What the registry and the warehouse say about a model, in short."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def flat_numbers(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the finite numbers of nested metrics, named by their path.

    Examples
    --------
    >>> flat_numbers({"ravdess": {"sad": {"auc": 0.9}}, "seed": True, "corpora": ["a"]})
    {'ravdess.sad.auc': 0.9}
    """
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        name = f"{prefix}{_word(key)}"
        if isinstance(value, Mapping):
            flat |= flat_numbers(value, f"{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            flat[name] = float(value)
    return flat


def finite(value: Any) -> Any:
    """Return a JSON value in which every number that is not one (NaN, infinity) is None: JSON has no word for them."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def one_line(affect: Mapping[str, Any]) -> str:
    """Return one line on a model: its name and what its depression score means."""
    return f"{affect.get('name', 'unnamed')}: {affect.get('depression_meaning', 'meaning of the score not stated')}"


def short_card(affect: Mapping[str, Any], metrics: Mapping[str, Any], digest: str) -> str:
    """Return a short model card in Markdown for the registry.

    Parameters
    ----------
    affect : Mapping
        Content of ``affect.json``.
    metrics : Mapping
        Content of ``evaluation.json``; may be empty. The numbers under ``gate`` are named.
    digest : str
        The model's digest.
    """
    numbers = flat_numbers(metrics.get("gate", {}))
    rows = [f"| {name} | {value:.3f} |" for name, value in sorted(numbers.items())]
    table = ["| gate metric | value |", "|---|---|", *rows] if rows else ["Nothing was measured about this model."]
    lines = [
        f"# {affect.get('name', 'unnamed')}",
        "",
        f"- Depression score: {affect.get('depression_meaning', 'meaning not stated')}",
        f"- Licence of the weights: {affect.get('licence', 'not stated')}",
        f"- Input: mono, {affect.get('sampling_rate_hz', 16000)} Hz, windows of {affect.get('window_s', '?')} s",
        f"- Digest (SHA-256 of weights and configuration): `{digest}`",
        "- Intended use: following one person's change over time, for people who care for them. Not a diagnosis.",
        "",
        *table,
    ]
    return "\n".join(lines) + "\n"


def _word(key: object) -> str:
    """Return a key with only the characters that MLflow allows in the name of a metric."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in str(key))

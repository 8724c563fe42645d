"""The page of benchmarks in the documentation, made from the JSON files that the benchmarks wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affect_pipeline.files import read_json

HEAD = """# Benchmarks

This page is made by `affect bench page` from the files in `benchmarks/`, which the commands below wrote; nothing on it
is typed by hand. Peers ran in the same run, on the same input, on the same machine. Times are wall time unless a column
says otherwise.
"""


PLAN_BEGINS, PLAN_ENDS = "<!-- plan: begin -->", "<!-- plan: end -->"


@dataclass(frozen=True)
class Part:
    """One benchmark on the page.

    Parameters
    ----------
    name : str
        Name of its file, without suffix.
    title : str
        Heading.
    about : str
        What was compared.
    command : str
        What wrote the file.
    """

    name: str
    title: str
    about: str
    command: str


PARTS = (
    Part(
        "score",
        "Scoring",
        "The scorer as in a night, against `transformers.pipeline(\"audio-classification\")` with the same encoder "
        "weights in float32 on all cores. `times_batched` is against the pipeline with its own batching (8 journals, "
        "padded to the longest), `times_unbatched` against the pipeline without: on a processor, batching slows it. "
        "`share_of_peak` counts the products and convolutions of all windows, and holds their rate against a plain "
        "matrix product in the same precision. The model of wav2vec2-base's size has random weights: to speed, they do "
        "not matter.",
        "affect bench score",
    ),
    Part(
        "latency",
        "One live request",
        "A recording of 10 s, alone, as `affect serve` scores it: by PyTorch and by ONNX in turns, and the whole "
        "request with decoding and measuring. `affect serve` tries both at start-up and takes the faster.",
        "affect bench latency",
    ),
    Part(
        "measure",
        "Measuring",
        "The measure stage on one core, per second of audio, beside librosa alone and openSMILE, whose licence is "
        "non-commercial: it is a tool of the developers and no part of the product.",
        "affect bench measure",
    ),
    Part(
        "night",
        "Whole nights",
        "All stages in one process, at two sizes; memory is that of the pipeline and PostgreSQL together.",
        "affect bench night",
    ),
    Part("warehouse", "Bulk work", "Loads and validation at the size of a large night.", "affect bench warehouse"),
    Part("cluster", "Two workers", "The measure stage on Celery workers of one core each.", "affect bench cluster"),
)  # fmt: skip


def page(folder: Path) -> str:
    """Return the page as Markdown, from the files that are there."""
    parts = [(part, read_json(path)) for part in PARTS if (path := folder / f"{part.name}.json").exists()]
    return "\n".join([HEAD, *(_part(part, content) for part, content in parts)])


def with_plan(document: str, section: str) -> str:
    """Return a document with a section put between the marks of the plan."""
    before, _, rest = document.partition(PLAN_BEGINS)
    _, _, after = rest.partition(PLAN_ENDS)
    return f"{before}{PLAN_BEGINS}\n{section}{PLAN_ENDS}{after}"


def _part(part: Part, content: Mapping[str, Any]) -> str:
    tables = [_table(rows, content["columns"]) for rows in content.values() if _is_rows(rows)]
    note = f"{content['note'][:1].upper()}{content['note'][1:]}.\n" if content.get("note") else ""
    machine = _machine(content["machine"])
    command = f"`{part.command}`, seed {content['seed']}, on {machine}."
    return "\n".join([f"## {part.title}\n", f"{part.about}\n", *tables, *([note] if note else []), f"{command}\n"])


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _table(rows: Sequence[Mapping[str, Any]], order: Sequence[str]) -> str:
    names = [name for name in order if any(row.get(name) is not None for row in rows)]
    head = [" | ".join(["", *(name.replace("_", " ") for name in names), ""]).strip()]
    rule = ["|" + "|".join("---" if _is_text(rows, name) else "---:" for name in names) + "|"]
    lines = ["| " + " | ".join(_text(row[name]) for name in names) + " |" for row in rows]
    return "\n".join([*head, *rule, *lines]) + "\n"


def _is_text(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(isinstance(row[name], str) for row in rows)


def _text(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 4
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _machine(machine: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in sorted(machine["packages"].items()))
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']:.0f} GiB, {machine['system']}, "
        f"Python {machine['python']} ({packages})"
    )

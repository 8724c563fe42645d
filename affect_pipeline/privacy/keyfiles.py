"""Backups of the voices' keys: a file beside each backup of the warehouse, from which a patient can be taken.

A backup of the warehouse is a file that nobody rewrites. So it holds no keys: they go into ``<backup>.keys``, a small
JSON file, still wrapped by the master key. The installation remembers where it wrote them, and an erasure takes the
patient out of each. Copies made by others have to be handled by who made them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from affect_pipeline.files import read_json, write_json
from affect_pipeline.settings import Settings

SUFFIX = ".keys"


def key_file(backup: Path) -> Path:
    """Return where the keys that belong to a backup are."""
    return backup.with_name(backup.name + SUFFIX)


def write_keys(settings: Settings, engine: sa.Engine, backup: Path) -> int:
    """Write the wrapped keys beside a backup, readable for the owner only; nothing if there are none.

    Returns
    -------
    int
        Number of keys.
    """
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(_query("list_voice_keys")).mappings()]
    if not rows:
        return 0
    path = key_file(backup)
    write_json({"keys": rows}, path)
    path.chmod(0o600)
    _remember(settings, path)
    return len(rows)


def read_keys(engine: sa.Engine, backup: Path) -> int:
    """Put the keys beside a backup into a warehouse that was restored from it; returns their number."""
    path = key_file(backup)
    if not path.exists():
        return 0
    rows = read_json(path)["keys"]
    with engine.begin() as connection:
        for row in rows:
            values = {"key_id": bytes.fromhex(row["key_id"]), "wrapped": bytes.fromhex(row["wrapped"])}
            connection.execute(_query("add_voice_key"), values | {"patient_key": row["patient_key"]})
    return len(rows)


def forget_keys(settings: Settings, key_ids: Iterable[str]) -> list[Path]:
    """Take keys, named by their ids in hex, out of every key file that this installation wrote and can still reach.

    Returns
    -------
    list of Path
        Files that were written once and are not there any more: if they were moved, their copies still hold the keys.
    """
    erased, unreachable = set(key_ids), []
    for path in remembered(settings):
        try:
            content: dict[str, Any] = read_json(path)
        except (OSError, json.JSONDecodeError):
            unreachable.append(path)
            continue
        kept = [row for row in content["keys"] if row["key_id"] not in erased]
        if len(kept) != len(content["keys"]):
            write_json({"keys": kept}, path)
            path.chmod(0o600)
    return unreachable


def remembered(settings: Settings) -> list[Path]:
    """Return the key files that this installation wrote."""
    path = _memory(settings)
    return [Path(name) for name in read_json(path)] if path.exists() else []


def _remember(settings: Settings, path: Path) -> None:
    names = {str(known) for known in remembered(settings)} | {str(path.resolve())}
    write_json(sorted(names), _memory(settings))


def _memory(settings: Settings) -> Path:
    return settings.home / "backup-keys.json"


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"privacy/{name}"))

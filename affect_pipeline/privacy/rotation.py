"""New pseudonyms for all, under a new secret that is laid over the old ones.

A patient's new key is an HMAC of the old one under the new secret, so that no identifier is needed to rotate, and
deliveries to come find their patient through all the layers. Whoever has learnt the old secret can work out old keys
only, which nothing carries any more.

All rows change in one transaction. The new secrets wait beside the old ones until it is committed; if the process dies
in between, the next rotation sees which of the two the warehouse follows and finishes, and no night begins before.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from affect_pipeline.errors import SettingsError
from affect_pipeline.files import read_json, write_bytes, write_json
from affect_pipeline.journals.identity import Pseudonyms, refused_id
from affect_pipeline.privacy.audit import list_events, record
from affect_pipeline.privacy.erasure import charts_through, derive_again, text_files
from affect_pipeline.privacy.keyfiles import remembered
from affect_pipeline.settings import SECRET_BYTES, Settings

ACTION = "pseudonyms_rotated"


@dataclass(frozen=True)
class Rotation:
    """What a rotation did.

    Parameters
    ----------
    n_patients, n_deliveries : int
        Keys that are new.
    secret_file : Path
        Where the secrets are now, one a line.
    """

    n_patients: int
    n_deliveries: int
    secret_file: Path


def rotate(settings: Settings) -> Rotation:
    """Give every patient and delivery a new key; finishes a rotation that was interrupted.

    No night may be running. Nights that are run afterwards leave the rows of an installation that had both secrets
    from its first night.

    Raises
    ------
    SettingsError
        If the secret is given by ``AFFECT_PSEUDONYM_SECRET``: only a file can be rotated.
    """
    from affect_pipeline.warehouse.engine import connect

    if settings.pseudonym_secret is not None:
        raise SettingsError(
            "AFFECT_PSEUDONYM_SECRET cannot be rotated from here: put the secret into a file, name it by "
            "AFFECT_PSEUDONYM_SECRET_FILE, and rotate again"
        )
    engine = connect(settings)
    old = settings.pseudonym_key()
    new = _waiting_secrets(settings, engine, old)
    if new is None:
        new = old + b"\n" + secrets.token_hex(SECRET_BYTES).encode()
        _write_private(_waiting(settings), new)
    through = charts_through(engine)
    patients, deliveries, words = _rename_rows(engine, Pseudonyms(new), check_of(new))
    _rename_in_files(settings, words)
    _waiting(settings).replace(_secret_file(settings))
    derive_again(settings, through)
    return Rotation(patients, deliveries, _secret_file(settings))


def check_not_interrupted(settings: Settings) -> None:
    """Refuse to go on while a rotation is half done.

    Raises
    ------
    SettingsError
        If one was interrupted.
    """
    if settings.pseudonym_secret is None and _waiting(settings).exists():
        raise SettingsError(
            "a rotation of the pseudonyms was interrupted: finish it with `affect privacy rotate-pseudonyms`"
        )


def check_of(secret: bytes) -> str:
    """Return what the audit trail keeps of a secret, to tell which one the warehouse follows."""
    return hmac.new(secret, b"which secret is this", hashlib.sha256).hexdigest()[:16]


def _waiting_secrets(settings: Settings, engine: sa.Engine, old: bytes) -> bytes | None:
    """Return the secrets of a rotation that was interrupted before its rows were written; None for a new one."""
    path = _waiting(settings)
    if not path.exists():
        return None
    found = path.read_bytes()
    return found if found.startswith(old + b"\n") else None


def _is_done(connection: sa.Connection, check: str) -> bool:
    events = list_events(connection.engine, action=ACTION, limit=1)
    return bool(events) and events[0]["detail"].get("check") == check


def _rename_rows(engine: sa.Engine, pseudonyms: Pseudonyms, check: str) -> tuple[int, int, dict[str, str]]:
    """Rename in all tables, in one transaction; returns counts and what was called how.

    If the warehouse has been renamed already, nothing is done twice: then only files were left.
    """
    with engine.begin() as connection:
        if _is_done(connection, check):
            return 0, 0, {}
        rows = connection.execute(_query("list_keys")).all()
        known = connection.execute(_query("list_patient_keys")).scalars().all()
        patients = {key: pseudonyms.renewed("patient", key) for key in known}
        deliveries = {row.delivery_key: pseudonyms.renewed("delivery", row.delivery_key) for row in rows}
        refused = {refused_id(key): refused_id(new) for key, new in deliveries.items()}
        journals = {row.journal_id: refused[row.journal_id] for row in rows if row.journal_id in refused}
        alerts = _renamed_alerts(connection, patients)
        _rename(connection, ("patient_key",), patients)
        _rename(connection, ("delivery_key", "profile_delivery"), deliveries)
        _rename(connection, ("journal_id",), journals)
        _rename(connection, ("alert_id",), alerts)
        connection.execute(_query("forget_progress"))
        connection.execute(_query("assign_persons_anew"))
        record(connection, ACTION, check=check, n_patients=len(patients))
    return len(patients), len(deliveries), patients | deliveries | journals | alerts


def _renamed_alerts(connection: sa.Connection, patients: Mapping[str, str]) -> dict[str, str]:
    from affect_pipeline.monitoring.alerts import AlertBook
    from affect_pipeline.monitoring.words import to_day

    renamed = {}
    for row in connection.execute(_query("list_alert_names")):
        book = AlertBook(row.model_digest, ())
        renamed[row.alert_id] = book.alert_id(patients[row.patient_key].encode(), to_day(row.opened_night), row.kind)
    return renamed


def _rename(connection: sa.Connection, columns: Iterable[str], names: Mapping[str, str]) -> None:
    values = {"columns_named": list(columns), "old_keys": list(names), "new_keys": list(names.values())}
    connection.execute(_query("rename_keys"), values)


def _rename_in_files(settings: Settings, words: Mapping[str, str]) -> None:
    """Rename in texts and in key files of backups; files of runs are removed, a night run again makes them anew."""
    named = re.compile(rb"\b(?:[0-9a-f]{64}|[0-9a-f]{32})\b")
    known = {old.encode(): new.encode() for old, new in words.items()}
    shutil.rmtree(settings.work_dir, ignore_errors=True)
    for path in text_files(settings.home):
        content = path.read_bytes()
        renamed = named.sub(lambda match: known.get(match[0], match[0]), content)
        if renamed != content:
            write_bytes(renamed, path)
    for path in remembered(settings):
        if path.exists():
            rows = [
                row | {"patient_key": words.get(row["patient_key"], row["patient_key"])}
                for row in read_json(path)["keys"]
            ]
            write_json({"keys": rows}, path)
            path.chmod(0o600)


def _secret_file(settings: Settings) -> Path:
    return settings.pseudonym_secret_file or settings.home / "secrets" / "pseudonym.key"


def _waiting(settings: Settings) -> Path:
    return _secret_file(settings).with_suffix(".next")


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        os.fsync(file.fileno())


def _query(name: str) -> sa.TextClause:
    from affect_pipeline.warehouse.queries import sql

    return sa.text(sql(f"privacy/{name}"))

"""What `affect doctor` looks at: each check says what it saw, and how to mend what is wrong."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from affect_pipeline.errors import AffectError
from affect_pipeline.settings import Settings

NEEDED_DISK_BYTES = 2 * 10**9
"""Room for the databases, logs and prepared audio of a first cohort."""

STRONG_SECRET_LENGTH = 32
"""Characters of a pseudonym secret; 32 random hexadecimal digits hold 128 bits."""

STRONG_PASSWORD = 12
"""Characters of a password that only machines type."""


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Parameters
    ----------
    name : str
        What was looked at.
    state : State
        ``NOTE`` is worth knowing and stops nothing; ``BROKEN`` stops a part of the pipeline.
    detail : str
        What was seen.
    mend : str
        What to do about it; empty if there is nothing to do.
    """

    name: str
    state: State
    detail: str
    mend: str = ""


Check = Callable[[Settings], Finding]


def check_python(_: Settings) -> Finding:
    """Look at the version of Python."""
    seen = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] == (3, 11):
        return Finding("Python", State.OK, seen)
    return Finding("Python", State.BROKEN, f"{seen}; 3.11 is needed", "install Python 3.11, remove .venv, run make")


def check_packages(_: Settings) -> Finding:
    """Compare the installed packages with what affect-pipeline asks for."""
    from packaging.requirements import Requirement

    wrong, n_needed = [], 0
    for text in requires("affect-pipeline") or []:
        needed = Requirement(text)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        n_needed += 1
        try:
            seen = version(needed.name)
        except PackageNotFoundError:
            wrong.append(f"{needed.name} is missing")
        else:
            if not needed.specifier.contains(seen, prereleases=True):
                wrong.append(f"{needed.name} is {seen}, not {needed.specifier}")
    if wrong:
        return Finding("Packages", State.BROKEN, "; ".join(wrong), "pip install -r requirements.lock")
    return Finding("Packages", State.OK, f"{n_needed} installed as asked for")


def check_home(settings: Settings) -> Finding:
    """See whether the state folder can be written to, and has room."""
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if not os.access(folder, os.W_OK | os.X_OK):
        return Finding(
            "State folder", State.BROKEN, f"{folder} is not writable", "point AFFECT_HOME at a folder of yours"
        )
    free = shutil.disk_usage(folder).free
    detail = f"{settings.home}, {free / 1e9:.1f} GB free"
    if free < NEEDED_DISK_BYTES:
        return Finding("State folder", State.BROKEN, detail, "free some disk, or point AFFECT_HOME at a larger one")
    return Finding("State folder", State.OK, detail)


def check_ports(_: Settings) -> Finding:
    """See which of the usual ports are taken."""
    from dataclasses import asdict

    from affect_pipeline.stack.ports import Ports, is_free

    taken = [f"{port} ({name})" for name, port in asdict(Ports()).items() if not is_free(port)]
    if not taken:
        return Finding("Ports", State.OK, "the usual ones are free")
    return Finding("Ports", State.NOTE, f"in use: {', '.join(taken)}", "nothing: `affect up` takes free ones instead")


def check_ffmpeg(_: Settings) -> Finding:
    """Look for ffmpeg, which decodes m4a and webm."""
    path = shutil.which("ffmpeg")
    if path:
        return Finding("ffmpeg", State.OK, path)
    return Finding(
        "ffmpeg",
        State.NOTE,
        "not found: journals in m4a and webm will be quarantined (no_decoder)",
        "install ffmpeg, then release those journals",
    )


def check_chromium(_: Settings) -> Finding:
    """Look for a browser, which only the tests of the dashboard need."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path:
        return Finding("Chromium", State.OK, path)
    return Finding(
        "Chromium", State.NOTE, "not found: browser tests will skip", "install chromium, if you run the tests"
    )


def check_secret(settings: Settings) -> Finding:
    """Judge the secret behind the pseudonyms, without showing any of it."""
    name = "Pseudonym secret"
    path = settings.pseudonym_secret_file or settings.home / "secrets" / "pseudonym.key"
    if settings.pseudonym_secret is None and settings.pseudonym_secret_file is None and not path.exists():
        return Finding(name, State.OK, "not made yet; a random one is made on first use")
    try:
        secret = settings.pseudonym_key()
    except (AffectError, OSError) as error:
        return Finding(name, State.BROKEN, str(error), "put at least 32 random characters there: openssl rand -hex 32")
    if len(secret) < STRONG_SECRET_LENGTH or len(set(secret)) < STRONG_SECRET_LENGTH // 4:
        return Finding(
            name,
            State.BROKEN,
            f"{len(secret)} characters, {len(set(secret))} of them different: it can be guessed",
            "for a new warehouse, use the output of: openssl rand -hex 32. A new secret gives every patient a new key",
        )
    if settings.pseudonym_secret is None and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return Finding(name, State.BROKEN, f"{path} can be read by others", f"chmod 600 {path}")
    return Finding(name, State.OK, "long enough, and private")


def check_passwords(settings: Settings) -> Finding:
    """Judge the passwords in URLs, without showing any of them."""
    from urllib.parse import urlsplit

    urls = {"AFFECT_WAREHOUSE_URL": settings.warehouse_url, "AFFECT_MLFLOW_URI": settings.mlflow_uri}
    lengths = {name: len(password) for name, url in urls.items() if (password := urlsplit(url).password)}
    weak = [f"that in {name} has {length} characters" for name, length in lengths.items() if length < STRONG_PASSWORD]
    if weak:
        detail = f"can be guessed: {', '.join(weak)}"
        return Finding("Passwords", State.NOTE, detail, "give the role a password of openssl rand -hex 32")
    return Finding("Passwords", State.OK, f"{len(lengths)} in URLs, long enough" if lengths else "none in URLs")


def check_encryption(settings: Settings) -> Finding:
    """See whether voices are encrypted at rest, and judge the master key without showing any of it."""
    name = "Encryption at rest"
    if not settings.encrypt_audio:
        return Finding(name, State.NOTE, "off: audio lies on the disk as it is", "set AFFECT_ENCRYPT_AUDIO=true")
    path = settings.encryption_key_file or settings.home / "secrets" / "encryption.key"
    if settings.encryption_key is None and settings.encryption_key_file is None and not path.exists():
        return Finding(name, State.OK, "on; a random master key is made on first use")
    try:
        secret = settings.master_key()
    except (AffectError, OSError) as error:
        return Finding(name, State.BROKEN, str(error), "put the output of `openssl rand -hex 32` there")
    if len(secret) < STRONG_SECRET_LENGTH or len(set(secret)) < STRONG_SECRET_LENGTH // 4:
        detail = f"the master key has {len(secret)} characters, {len(set(secret))} of them different"
        return Finding(name, State.BROKEN, detail, "use the output of `openssl rand -hex 32` before audio is encrypted")
    if settings.encryption_key is None and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        return Finding(name, State.BROKEN, f"{path} can be read by others", f"chmod 600 {path}")
    return Finding(name, State.OK, "on, with a strong master key")


def check_decoder(_: Settings) -> Finding:
    """Start a decoder and see what it could give up."""
    from affect_pipeline.journals.sandbox import Decoders

    name = "Decoder"
    try:
        with Decoders() as decoders:
            walls = decoders.confinement()
    except AffectError as error:
        return Finding(name, State.BROKEN, str(error), "install affect-pipeline again")
    given_up = {"the network": walls.network, "our files": walls.files, "system calls": walls.system_calls}
    kept = [what for what, gone in given_up.items() if not gone]
    if not kept:
        return Finding(name, State.OK, "runs apart, without network, files and most system calls")
    return Finding(
        name,
        State.NOTE,
        f"this machine does not let a decoder give up {' and '.join(kept)}",
        "allow user namespaces and seccomp, and use a kernel of 5.13 or newer with Landlock",
    )


def check_landing_zone(settings: Settings) -> Finding:
    """List the landing zone."""
    import fsspec

    name = "Landing zone"
    try:
        filesystem, root = fsspec.url_to_fs(settings.landing)
        n_nights = len(filesystem.ls(root, detail=False))
    except FileNotFoundError:
        if not settings.landing_url:
            return Finding(name, State.NOTE, f"{settings.landing} is not there yet", "affect simulate makes a cohort")
        return Finding(name, State.BROKEN, f"{settings.landing} does not exist", "check AFFECT_LANDING_URL")
    except Exception as error:  # any filesystem may raise errors of its own
        return Finding(name, State.BROKEN, f"{type(error).__name__} while listing it", "check AFFECT_LANDING_URL")
    return Finding(name, State.OK, f"{settings.landing}, {n_nights} entries")


def check_warehouse(settings: Settings) -> Finding:
    """Connect to the warehouse and compare its migrations with those on disk."""
    import sqlalchemy as sa

    from affect_pipeline.warehouse.engine import connect
    from affect_pipeline.warehouse.migrate import migrations_on_disk
    from affect_pipeline.warehouse.queries import sql

    name = "Warehouse"
    if _is_new(settings, settings.warehouse_url):
        return Finding(name, State.OK, "embedded, not made yet; it is made on first use")
    try:
        with connect(settings).connect() as connection:
            applied = set(connection.scalars(sa.text(sql("doctor/list_applied_migrations"))))
    except sa.exc.ProgrammingError:
        applied = set()
    except AffectError as error:
        return Finding(name, State.BROKEN, str(error), "start the server, or mend AFFECT_WAREHOUSE_URL")
    missing = [migration.name for migration in migrations_on_disk() if migration.name not in applied]
    if missing:
        return Finding(name, State.BROKEN, f"{len(missing)} migrations are missing", "affect warehouse migrate")
    return Finding(name, State.OK, f"reachable, {len(applied)} migrations applied")


def check_registry(settings: Settings) -> Finding:
    """Ask the registry for the champion."""
    from affect_pipeline.model.lookup import find_alias

    name = "Model registry"
    if _is_new(settings, settings.mlflow_uri):
        return Finding(name, State.OK, "embedded, not made yet; `affect up` registers the packaged model")
    try:
        model = find_alias(settings, settings.model_alias)
    except AffectError as error:
        return Finding(name, State.BROKEN, str(error), "start the registry, or mend AFFECT_MLFLOW_URI")
    if model is None:
        return Finding(
            name,
            State.BROKEN,
            f"{settings.model_name} has no version with the alias {settings.model_alias}",
            f"affect model register --alias {settings.model_alias}",
        )
    return Finding(name, State.OK, f"{model.name} version {model.version}, digest {model.digest[:12]}")


def check_locks(settings: Settings) -> Finding:
    """Look for what a stack that was killed outright left behind."""
    from affect_pipeline.stack.local import stack_is_running

    name = "Local stack"
    lock = settings.home / "stack.lock"
    if not lock.exists() or not lock.read_text():
        return Finding(name, State.OK, "not running")
    if stack_is_running(settings):
        return Finding(name, State.OK, "running in this state folder")
    return Finding(
        name,
        State.NOTE,
        "the last one was killed outright; its lock is free",
        "nothing: the next `affect up` clears up after it",
    )


CHECKS: tuple[Check, ...] = (
    check_python,
    check_packages,
    check_home,
    check_secret,
    check_passwords,
    check_encryption,
    check_decoder,
    check_landing_zone,
    check_warehouse,
    check_registry,
    check_locks,
    check_ports,
    check_ffmpeg,
    check_chromium,
)
"""All checks, in the order in which they are shown."""


def examine(settings: Settings) -> list[Finding]:
    """Run all checks; none changes anything but to start the embedded server for as long as it is asked."""
    return [check(settings) for check in CHECKS]


def _is_new(settings: Settings, url: str) -> bool:
    """Tell whether a database would be the embedded one, which has never been started."""
    return not url and not Path(settings.postgres_dir).exists()

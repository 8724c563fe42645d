"""Putting finished Data Docs where people look for them."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

TUTORIAL_FILES = ("*.gif",)
"""Animations of a getting-started tour, 3 MB of the 4 MB of a site."""


def publish_pages(site: Path, folder: Path) -> None:
    """Put a site in place of an older one, whole or not at all.

    Parameters
    ----------
    site : Path
        The finished pages.
    folder : Path
        Where they belong. Readers see the old pages until the new ones are complete.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(6)
    new, old = folder.with_name(f".{folder.name}.{token}.new"), folder.with_name(f".{folder.name}.{token}.old")
    try:
        shutil.copytree(site, new, ignore=shutil.ignore_patterns(*TUTORIAL_FILES))
        if folder.exists():
            folder.rename(old)
        new.rename(folder)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)

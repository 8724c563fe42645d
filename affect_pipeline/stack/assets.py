"""Where the DAG files, the plugin and the SQL are: in a checkout, or in an installed package."""

from __future__ import annotations

from pathlib import Path

import affect_pipeline
from affect_pipeline.errors import StackError

_PACKAGE = Path(affect_pipeline.__file__).resolve().parent


def assets_folder(name: str) -> Path:
    """Return the folder ``dags`` or ``plugins`` of this installation.

    Parameters
    ----------
    name : str
        Name of the folder at the root of a checkout.

    Raises
    ------
    StackError
        If neither the checkout nor the installed package has it.
    """
    candidates = (_PACKAGE.parent / name, _PACKAGE / "_assets" / name)
    for folder in candidates:
        if folder.is_dir() and (folder.parent.name == "_assets" or (folder.parent / "pyproject.toml").exists()):
            return folder
    raise StackError(
        f"no folder {name!r} in {candidates[0].parent} or {candidates[1].parent}; reinstall affect-pipeline"
    )

"""SQL statements by name.

All SQL of the package stands in ``sql/`` as files. `sql` loads one by the name of its file, so that Python holds
no SQL text and values always travel as bound parameters.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

from affect_pipeline.errors import SettingsError

_PACKAGED = Path(__file__).resolve().parents[1] / "_assets" / "sql"
_CHECKOUT = Path(__file__).resolve().parents[2] / "sql"


def sql_dir() -> Path:
    """Return the folder of the SQL files: inside an installed wheel, or the checkout's ``sql/``.

    Raises
    ------
    SettingsError
        If neither is there, which means that the installation is damaged.
    """
    for folder in (_PACKAGED, _CHECKOUT):
        if folder.is_dir():
            return folder
    raise SettingsError(f"the SQL files of affect-pipeline are missing: looked in {_PACKAGED} and {_CHECKOUT}")


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Path]:
    root = sql_dir()
    paths = sorted(root.rglob("*.sql"))
    stems = Counter(path.stem for path in paths)
    found = {path.stem: path for path in paths if stems[path.stem] == 1}
    return found | {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}


@lru_cache
def sql(name: str) -> str:
    """Return the text of one SQL file.

    Parameters
    ----------
    name : str
        File name without ``.sql`` (``"list_open_alerts"``), with its folder where two share a name
        (``"load/scores"``).

    Raises
    ------
    KeyError
        If there is no such file, or several and no folder is named; the message lists names that are close.
    """
    path = _by_name().get(name)
    if path is None:
        from difflib import get_close_matches

        close = ", ".join(get_close_matches(name, _by_name(), n=5, cutoff=0.4)) or "none"
        raise KeyError(f"no SQL file called {name!r}; names that are close: {close}")
    return path.read_text(encoding="utf-8")


def names(folder: str) -> list[str]:
    """Return the names of the SQL files directly in a folder of ``sql/``, in order."""
    return [path.stem for path in sorted((sql_dir() / folder).glob("*.sql"))]

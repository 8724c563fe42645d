"""What the services of a compose file are: their commands, environments and health checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affect_pipeline.errors import StackError

_VARIABLE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<word>[^}]*))?\})")


@dataclass(frozen=True)
class Service:
    """One service.

    Parameters
    ----------
    command : tuple of str
        What it runs; empty if that is its image's business.
    environment : Mapping[str, str]
        Variables it is given.
    health : tuple of str
        Command that succeeds when it is well; empty if there is none.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    health: tuple[str, ...]


def read_services(path: Path, variables: Mapping[str, str]) -> dict[str, Service]:
    """Read a compose file.

    Parameters
    ----------
    path : Path
        The file.
    variables : Mapping[str, str]
        What takes the place of ``${NAME}``.

    Raises
    ------
    StackError
        If a variable that the file cannot do without is not given.
    """
    import yaml

    content: dict[str, Any] = yaml.safe_load(path.read_text())
    services = {name: _filled_in(service, variables) for name, service in content["services"].items()}
    return {name: _service(service) for name, service in services.items()}


def fill_in(text: str, variables: Mapping[str, str]) -> str:
    """Replace ``${NAME}``, ``${NAME:-default}`` and ``${NAME:?message}``; ``$$`` stands for a dollar sign.

    Examples
    --------
    >>> fill_in("redis://${HOST:-redis}:$$PORT", {"HOST": ""})
    'redis://redis:$PORT'
    """

    def value(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        found = variables.get(match["name"], "")
        if found or match["how"] is None:
            return found
        if match["how"] == ":?":
            raise StackError(f"{match['name']} is not set: {match['word'] or 'it has no default'}")
        return str(match["word"])

    return _VARIABLE.sub(value, text)


def _filled_in(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return fill_in(value, variables)
    if isinstance(value, dict):
        return {key: _filled_in(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled_in(item, variables) for item in value]
    return value


def _service(service: dict[str, Any]) -> Service:
    test = service.get("healthcheck", {}).get("test", [])
    shell = ("sh", "-c") if test[:1] == ["CMD-SHELL"] else ()
    return Service(tuple(service.get("command", ())), service.get("environment", {}), (*shell, *test[1:]))

"""What affect-pipeline is made of: its run-time packages, their licences, and known holes in them.

Everything is read from the packages that are installed; nothing goes over the network.
"""

from __future__ import annotations

import json
import re
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ROOT = "affect-pipeline"

STATED_ELSEWHERE = {
    "cuda-toolkit": "LicenseRef-NVIDIA-Proprietary",  # a list of the nvidia-* packages, which say so
    "huey": "MIT",  # file LICENSE in its wheel
    "openlineage-sql": "Apache-2.0",  # LICENSE of its repository
    "sigstore-models": "MIT",  # file LICENSE in its wheel
}
"""Licences of packages whose metadata does not say."""

_GPL = re.compile(r"(?<![A-Za-z])A?GPL|GNU (Affero )?General Public", re.IGNORECASE)
_NAMESPACE = uuid.UUID("6f1a2c1e-5c37-4d0e-9d0b-0f5f1f5f9b11")


@dataclass(frozen=True)
class Package:
    """An installed package that is needed at run time.

    Parameters
    ----------
    name, version : str
        As installed; the name in its canonical form.
    licences : tuple of str
        What its metadata says; several are alternatives or apply together, as they say.
    requires : tuple of str
        Packages that it needs.
    """

    name: str
    version: str
    licences: tuple[str, ...]
    requires: tuple[str, ...]

    @property
    def is_gpl(self) -> bool:
        """Whether it comes under the GPL or AGPL only; the LGPL, and an alternative, do not bind those who use it."""
        return bool(self.licences) and all(_GPL.search(licence) for licence in self.licences)


def runtime_packages(root: str = ROOT) -> list[Package]:
    """Return a package and everything it needs at run time, directly or not, by name."""
    found: dict[str, Package] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(root, frozenset())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # `affect doctor` says so
        needed = list(_needed(distribution, extras))
        before = found[name].requires if name in found else ()
        requires = tuple(sorted({*before, *(canonicalize_name(one.name) for one in needed)}))
        found[name] = Package(name, distribution.version, _licences(name, distribution), requires)
        waiting += [(canonicalize_name(one.name), frozenset(one.extras)) for one in needed]
    return sorted(found.values(), key=lambda package: package.name)


def sbom(packages: list[Package]) -> dict[str, Any]:
    """Return a software bill of materials, CycloneDX 1.5 as JSON; the same packages give the same document."""
    names = {package.name for package in packages}
    components = [_component(package) for package in packages if package.name != ROOT]
    root = next(_component(package) | {"type": "application"} for package in packages if package.name == ROOT)
    serial = uuid.uuid5(_NAMESPACE, json.dumps(components, sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": root},
        "components": components,
        "dependencies": [
            {
                "ref": _purl(package.name, package.version),
                "dependsOn": sorted(
                    _purl(other.name, other.version)
                    for other in packages
                    if other.name in package.requires and other.name in names
                ),
            }
            for package in packages
        ],
    }


def known_holes(packages: list[Package], database: Path) -> list[tuple[Package, str, str]]:
    """Compare packages with a copy of the OSV database (https://osv.dev, ecosystem PyPI).

    Parameters
    ----------
    packages : list of Package
        What to look for.
    database : Path
        The export ``all.zip``, or a folder of its JSON files.

    Returns
    -------
    list of (Package, str, str)
        Package, identity of the hole, and what it is.
    """
    by_name = {package.name: package for package in packages}
    found = set()
    for record in _records(database):
        if record.get("withdrawn"):
            continue
        for affected in record.get("affected", []):
            package = by_name.get(canonicalize_name(affected.get("package", {}).get("name", "")))
            if affected.get("package", {}).get("ecosystem") == "PyPI" and package and _is_affected(package, affected):
                found.add((package, str(record["id"]), str(record.get("summary", ""))))
    return sorted(found, key=lambda hole: (hole[0].name, hole[1]))


def _needed(distribution: metadata.Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for text in distribution.requires or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            yield requirement


def _licences(name: str, distribution: metadata.Distribution) -> tuple[str, ...]:
    if name in STATED_ELSEWHERE:
        return (STATED_ELSEWHERE[name],)
    about = cast(Message, distribution.metadata)
    if expression := about.get("License-Expression"):
        return tuple(part.strip(" ()") for part in re.split(r"\s+OR\s+", expression))
    classifiers = [
        one.split("::")[-1].strip() for one in about.get_all("Classifier", []) if one.startswith("License ::")
    ]
    if classifiers:
        return tuple(classifiers)
    text = (about.get("License") or "").strip()
    return (text.splitlines()[0][:80],) if text else ()


def _component(package: Package) -> dict[str, Any]:
    licences = [{"license": {"name": licence}} for licence in package.licences]
    purl = _purl(package.name, package.version)
    fields = {"type": "library", "bom-ref": purl, "name": package.name, "version": package.version, "purl": purl}
    return fields | ({"licenses": licences} if licences else {})


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version.replace('+', '%2B')}"


def _records(database: Path) -> Iterator[dict[str, Any]]:
    if database.is_dir():
        for path in sorted(database.rglob("*.json")):
            yield json.loads(path.read_text(encoding="utf-8"))
        return
    with zipfile.ZipFile(database) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                yield json.loads(archive.read(name))


def _is_affected(package: Package, affected: dict[str, Any]) -> bool:
    if package.version in affected.get("versions", []):
        return True
    version = Version(package.version)
    ranges = (one for one in affected.get("ranges", []) if one.get("type") == "ECOSYSTEM")
    return any(_is_inside(version, one.get("events", [])) for one in ranges)


def _is_inside(version: Version, events: list[dict[str, str]]) -> bool:
    """Follow the events of a range in order: from "introduced" on it is affected, from "fixed" on it is not."""
    inside = False
    for event in events:
        for kind, text in event.items():
            try:
                at = Version(text)
            except InvalidVersion:
                continue
            if kind == "introduced" and version >= at:
                inside = True
            elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
                inside = False
    return inside

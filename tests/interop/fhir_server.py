"""A tiny FHIR server over HTTP: transactions of conditional updates and deletes, kept in memory, and faults on demand.

It does what R4 says of transactions and nothing else: entries are done whole or not at all, deletes before updates;
an update whose condition finds nothing makes a resource, one that finds one replaces it, one that finds several is
refused; references between entries become references between resources, and one that leads nowhere is refused.
"""

from __future__ import annotations

import copy
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Resource = dict[str, Any]


class Refused(Exception):
    def __init__(self, status: int, diagnostics: str) -> None:
        self.status, self.diagnostics = status, diagnostics
        super().__init__(diagnostics)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one request: an answer instead of work, or silence after the work."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


class Store:
    """Resources by type and id, each with the number of its version."""

    def __init__(self) -> None:
        self.resources: dict[tuple[str, str], Resource] = {}
        self.n_made = 0

    def find(self, url: str) -> list[tuple[str, str]]:
        parts = urlsplit(url)
        system, _, value = parse_qs(parts.query, strict_parsing=True)["identifier"][0].partition("|")
        return [
            key
            for key, resource in self.resources.items()
            if key[0] == parts.path and {"system": system, "value": value} in _identifiers(resource)
        ]

    def transact(self, bundle: Resource) -> Resource:
        if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "transaction":
            raise Refused(400, "not a transaction")
        before = copy.deepcopy((self.resources, self.n_made))
        try:
            return self._transact(bundle["entry"])
        except Refused:
            self.resources, self.n_made = before
            raise

    def _transact(self, entries: list[Resource]) -> Resource:
        for entry in entries:
            if entry["request"]["method"] == "DELETE":
                for key in self.find(entry["request"]["url"]):
                    del self.resources[key]
        updates = [entry for entry in entries if entry["request"]["method"] == "PUT"]
        places = {entry["fullUrl"]: self._place(entry["request"]["url"]) for entry in updates}
        if len(set(places.values())) != len(updates):
            raise Refused(400, "two entries mean the same resource")
        for entry in updates:
            key = places[entry["fullUrl"]]
            resource = _resolved(entry["resource"], places)
            if key[0] != resource["resourceType"] or "id" in resource:
                raise Refused(400, "the resource is not what its entry says")
            version = int(self.resources.get(key, {}).get("meta", {}).get("versionId", 0)) + 1
            meta = resource.get("meta", {}) | {"versionId": str(version)}
            self.resources[key] = resource | {"id": key[1], "meta": meta}
        self._check_references()
        return {"resourceType": "Bundle", "type": "transaction-response"}

    def _place(self, url: str) -> tuple[str, str]:
        found = self.find(url)
        if len(found) > 1:
            raise Refused(412, "several resources fit the condition")
        if found:
            return found[0]
        self.n_made += 1
        return urlsplit(url).path, f"made-here-{self.n_made}"

    def _check_references(self) -> None:
        for resource in self.resources.values():
            for reference in _references(resource):
                kind, _, name = reference.partition("/")
                if (kind, name) not in self.resources:
                    raise Refused(409, f"{resource['resourceType']} refers to {reference}, which is not here")


class FhirServer:
    """A server that listens on a free port of this machine.

    Parameters
    ----------
    token : str
        Token that requests have to carry.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.store = Store()
        self.faults: list[Fault] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}/r4"

    def of_type(self, resource_type: str) -> list[Resource]:
        return [resource for key, resource in self.store.resources.items() if key[0] == resource_type]

    def count(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for resource_type, _ in self.store.resources:
            counts[resource_type] = counts.get(resource_type, 0) + 1
        return counts


@contextmanager
def fhir_server(token: str) -> Iterator[FhirServer]:
    server = FhirServer(token)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


def _handler(server: FhirServer) -> type[BaseHTTPRequestHandler]:
    return type("BoundHandler", (Handler,), {"server_side": server})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_side: FhirServer

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server_side.requests.append((dict(self.headers), content))
        fault = self.server_side.faults.pop(0) if self.server_side.faults else Fault()
        if fault.status:
            self._answer(fault.status, _outcome("transient", "not now"), fault.headers)
            return
        status, answer = self._work(content)
        if fault.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._answer(status, answer, {})

    def _work(self, content: bytes) -> tuple[int, Resource]:
        if self.headers.get("Authorization") != f"Bearer {self.server_side.token}":
            return 401, _outcome("login", "the token is not known")
        if self.path != "/r4" or not self.headers["Content-Type"].startswith("application/fhir+json"):
            return 404, _outcome("not-found", "nothing is there")
        try:
            return 200, self.server_side.store.transact(json.loads(content))
        except Refused as refused:
            return refused.status, _outcome("processing", refused.diagnostics)

    def _answer(self, status: int, answer: Resource, headers: dict[str, str]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/fhir+json"} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _outcome(code: str, diagnostics: str) -> Resource:
    issue = {"severity": "error", "code": code, "diagnostics": diagnostics}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _identifiers(resource: Resource) -> list[Resource]:
    found = resource.get("identifier", [])
    return found if isinstance(found, list) else [found]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "reference":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _resolved(value: Any, places: dict[str, tuple[str, str]]) -> Any:
    if isinstance(value, dict):
        return {
            name: "/".join(places.get(inner, ("nowhere", inner))) if name == "reference" else _resolved(inner, places)
            for name, inner in value.items()
        }
    return [_resolved(inner, places) for inner in value] if isinstance(value, list) else value

"""A real browser in front of the running service."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Run an application on a free port; yield its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline_s = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert server.started
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium, or skip the test."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Debian's chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


def axe_script(folder: Path) -> str:
    """Return the source of axe-core, installed with npm into a folder once, or skip the test."""
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed, so axe-core cannot be")
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund"]
        # Without a network npm would try for minutes before it says so.
        command += ["--fetch-retries=1", "--fetch-timeout=15000", "--prefix", str(folder), "axe-core@4"]
        done = subprocess.run(command, capture_output=True, timeout=120, check=False)
        if done.returncode or not script.exists():
            pytest.skip("axe-core could not be installed with npm")
    return script.read_text()


def violations(page: Page, axe: str) -> list[str]:
    """Return what axe-core finds on a page against WCAG 2.2 AA, as lines."""
    page.evaluate(axe)
    found = page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{rule['impact']} {rule['id']}: {node['html'][:120]}" for rule in found["violations"] for node in rule["nodes"]
    ]

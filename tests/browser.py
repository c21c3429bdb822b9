"""A real browser for the tests of pages: headless Chromium, spoken to by its DevTools protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 120  # seconds; only a browser that hangs takes so long


def find_browser() -> str:
    """The browser's path: PALETTE_BROWSER, or one on the PATH; the test skips where there is none."""
    found = os.environ.get("PALETTE_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium or Chrome on the PATH: install one, or set PALETTE_BROWSER")
    return found


@dataclass
class Tab:
    """One tab; `events` holds all that the browser said of itself."""

    connection: ClientConnection
    events: list[dict[str, Any]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Calls a method of the protocol and returns its result."""
        number = next(self.numbers)
        self.connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            said = json.loads(self.connection.recv(timeout=PATIENCE))
            if said.get("id") == number:
                assert "error" not in said, said
                return dict(said["result"])
            self.events.append(said)

    def open(self, page: Path, width: int, scheme: str) -> None:
        """Opens a file at a width in CSS pixels, light or dark, and waits until it is loaded."""
        self.events.clear()
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not any(each.get("method") == "Page.loadEventFired" for each in self.events):
            self.events.append(json.loads(self.connection.recv(timeout=PATIENCE)))

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page; a promise is waited for."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def complaints(self) -> list[str]:
        """What the browser logged: errors, policies that were broken, files that failed to load."""
        logged = [each["params"]["entry"]["text"] for each in self.events if each.get("method") == "Log.entryAdded"]
        return logged + [str(each) for each in self.events if each.get("method") == "Runtime.exceptionThrown"]

    def requests(self) -> list[str]:
        """Addresses that were asked for."""
        sent = [each for each in self.events if each.get("method") == "Network.requestWillBeSent"]
        return [str(each["params"]["request"]["url"]) for each in sent]


@contextmanager
def browser_tab() -> Iterator[Tab]:
    """A tab of a browser of its own, which is gone afterwards."""
    program = find_browser()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
        # A container's root has no sandbox to give; the only page opened is our own.
        options += ["--no-sandbox", "--disable-dev-shm-usage", "--no-first-run"]
        with subprocess.Popen([program, *options, "about:blank"], stderr=subprocess.PIPE, text=True) as process:
            try:
                with connect(_address(process), max_size=None) as connection:
                    tab = Tab(connection)
                    for domain in ("Page", "Runtime", "Log", "Network"):
                        tab.call(f"{domain}.enable")
                    yield tab
            finally:
                process.terminate()
                process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if "DevTools listening on ws://" in line:
            port = line.rpartition("ws://")[2].partition("/")[0]
            with urlopen(f"http://{port}/json") as answer:
                tabs = json.load(answer)
            return str(next(each["webSocketDebuggerUrl"] for each in tabs if each["type"] == "page"))
    raise AssertionError("the browser ended before it listened")

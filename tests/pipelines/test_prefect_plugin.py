"""The plugin: a bare deployment name, the local server, and no harm where Prefect is another."""

from __future__ import annotations

import asyncio
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines import prefect_environment, prefect_plugin
from pipelines.prefect_environment import local_api_url, prepare, server_answers
from pipelines.prefect_plugin import accept_bare_names, full_name, prefect_command, set_up

REPOSITORY = Path(__file__).resolve().parents[2]


class Client:
    """As much of Prefect's client as matters."""

    async def read_deployment_by_name(self, name: str) -> str:
        """Return the name that reached Prefect."""
        return name


@pytest.mark.parametrize(
    ("given", "meant"),
    [("synth-flow", "synth-flow/synth-flow"), ("flow/deployment", "flow/deployment"), ("", ""), ("a/b/c", "a/b/c")],
)
def test_only_a_bare_name_is_completed(given: str, meant: str) -> None:
    assert full_name(given) == meant


def test_a_client_takes_bare_names_once_patched_and_is_patched_once() -> None:
    patched = type("Patched", (Client,), {})
    assert accept_bare_names(patched)
    method = patched.read_deployment_by_name
    assert accept_bare_names(patched)
    assert patched.read_deployment_by_name is method
    assert asyncio.run(patched().read_deployment_by_name("synth-flow")) == "synth-flow/synth-flow"
    assert asyncio.run(patched().read_deployment_by_name(name="x/y")) == "x/y"
    assert asyncio.run(Client().read_deployment_by_name("synth-flow")) == "synth-flow"


def test_a_client_without_the_method_is_left_alone() -> None:
    assert not accept_bare_names(type("Stranger", (), {}))


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/bin/prefect", "deployment", "run", "x"], "deployment"),
        (["prefect", "--profile", "local", "deployment", "ls"], "deployment"),
        (["prefect"], ""),
        (["/lib/prefect/__main__.py", "version"], "version"),
        (["/bin/palette", "serve"], None),
        (["/bin/pytest"], None),
        ([], None),
    ],
)
def test_the_plugin_knows_the_prefect_command(arguments: list[str], command: str | None) -> None:
    assert prefect_command(arguments) == command


def test_no_other_program_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefect_plugin, "accept_bare_names", lambda _: pytest.fail("patched"))
    assert set_up(None, None) == {}


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A web server on a free port whose every page is `body`; yields its API address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("body", "is_prefect"), [(b"true", True), (b"<html>", False), (b'"true"', False), (b"", False)]
)
def test_only_a_prefect_server_counts_as_one(body: bytes, is_prefect: bool) -> None:
    with answering(body) as url:
        assert server_answers(url) is is_prefect


def test_nobody_there_is_no_server() -> None:
    with answering(b"true") as url:
        pass
    assert not server_answers(url)


def test_a_running_local_server_is_used_only_where_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(b"true") as url:
        monkeypatch.setattr(prefect_plugin, "local_api_url", lambda: url)
        assert set_up("flow-run", None)["PREFECT_API_URL"] == url
        assert "PREFECT_API_URL" not in set_up("flow-run", "http://elsewhere/api")
        assert "PREFECT_API_URL" not in set_up("server", None)


def test_the_local_address_follows_prefects_own_settings() -> None:
    assert local_api_url({}) == "http://127.0.0.1:4200/api"
    assert local_api_url({"PREFECT_SERVER_API_PORT": "4321"}) == "http://127.0.0.1:4321/api"
    assert local_api_url({"PREFECT_SERVER_API_HOST": "0.0.0.0"}) == "http://127.0.0.1:4200/api"


def test_what_is_set_already_stays() -> None:
    environ = {"DO_NOT_TRACK": "0"}
    prepare(environ)
    assert environ["DO_NOT_TRACK"] == "0"
    assert environ["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert set(environ) == set(prefect_environment.DEFAULTS)


def test_the_hook_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> dict[str, str]:
        raise RuntimeError("Prefect has changed")

    monkeypatch.setattr(prefect_plugin, "set_up", fail)
    messages: list[str] = []
    logger = SimpleNamespace(debug=lambda text, *values: messages.append(text % values))
    context = SimpleNamespace(api_url=None, logger_factory=lambda _: logger)
    assert prefect_plugin.setup_environment(ctx=context) is None
    assert "Prefect has changed" in messages[0]


def prefect(*arguments: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the prefect command from the repository's root, with a home of its own."""
    import os

    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("prefect")), *arguments],
        cwd=REPOSITORY,
        env=clean | {"PREFECT_HOME": str(home)} | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_prefect_loads_the_plugin_from_the_repository(tmp_path: Path) -> None:
    done = prefect("plugins", "diagnose", home=tmp_path)
    told = done.stdout + done.stderr
    assert "palette: active" in told
    assert "palette: success" in told
    assert "Traceback" not in told

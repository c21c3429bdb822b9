"""Serving: the deployments, and the whole way from three shells through a real server."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import serve
from pipelines.errors import PipelinesError, SettingsError
from pipelines.prefect_environment import server_answers
from pipelines.sample import sample_sources
from pipelines.serve import DEPLOYMENTS, connect, find_deployment
from tests.pipelines.builders import make_settings

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PATIENCE_S = 240


def test_prefect_yaml_and_serve_name_the_same_flows() -> None:
    declared = yaml.safe_load((REPOSITORY / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert [each["name"] for each in declared] == [each.name for each in DEPLOYMENTS]
    for each, deployment in zip(declared, DEPLOYMENTS, strict=True):
        assert each["description"] == deployment.description
        assert each["entrypoint"] == f"{deployment.module.replace('.', '/')}.py:{deployment.attribute}"
        flow = getattr(import_module(deployment.module), deployment.attribute)
        assert flow.name == deployment.name


def test_a_flow_is_found_by_its_name_with_or_without_its_ending() -> None:
    assert find_deployment("synth") == find_deployment("synth-flow")
    with pytest.raises(SettingsError, match="synth-flow, train-flow"):
        find_deployment("mask-flow")


def test_no_server_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import prefect.settings

    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(serve, "server_answers", lambda _: False)
    with (
        prefect.settings.temporary_settings(restore_defaults={prefect.settings.PREFECT_API_URL}),
        pytest.raises(PipelinesError, match="prefect server start"),
    ):
        connect()


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(command: list[str], environ: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the repository until the block ends; then interrupt it, as a user would."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environ, stdout=out, stderr=out, start_new_session=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(what: str, ready: Any, log: Path) -> None:
    """Wait until `ready()`, or fail with the end of the log."""
    until = time.monotonic() + PATIENCE_S
    while not ready():
        assert time.monotonic() < until, f"{what} did not come; {log.name} ends: {log.read_text()[-2000:]}"
        time.sleep(0.5)


def read(url: str) -> Any:
    """A JSON document of the server."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_shells(tmp_path: Path, sample_root: Path) -> None:
    """`prefect server start`, `palette serve`, and exactly `prefect deployment run synth-flow`."""
    port = free_port()
    own = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_SERVER_API_PORT": str(port), "NO_COLOR": "1"}
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | own
    (tmp_path / "prefect").mkdir()
    api = f"http://127.0.0.1:{port}/api"
    server_log, serve_log, again_log = (tmp_path / f"{name}.log" for name in ("server", "serve", "again"))
    # The base and two photos to mask: what the stages make of more, test_flows shows.
    few = tuple(each for each in sample_sources(sample_root) if each.folder in ("competition", "unlabelled"))
    settings = make_settings(tmp_path / "out", sample_root, sources=few, train=False)
    parameters = {"settings": settings.model_dump(mode="json")}
    serving = [str(BIN / "palette"), "serve"]
    with running([str(BIN / "prefect"), "server", "start"], environ, server_log):
        wait_for("the server", lambda: server_answers(api), server_log)
        with running(serving, environ, serve_log):
            wait_for("palette serve", lambda: "being served" in serve_log.read_text(), serve_log)
            command = [str(BIN / "prefect"), "deployment", "run", "synth-flow", "--params", json.dumps(parameters)]
            asked = subprocess.run(command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False)
            assert asked.returncode == 0, asked.stderr
            run = re.search(r"UUID: (\S+)", asked.stdout)
            assert run is not None
            place = f"{api}/flow_runs/{run.group(1)}"
            over = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
            wait_for("the run's end", lambda: read(place)["state"]["type"] in over, serve_log)
            assert read(place)["state"]["type"] == "COMPLETED", serve_log.read_text()[-2000:]
        # Stopped and started again, it serves as before.
        with running(serving, environ, again_log):
            wait_for("palette serve", lambda: "being served" in again_log.read_text(), again_log)
            for each in DEPLOYMENTS:
                assert not read(f"{api}/deployments/name/{each.name}/{each.name}")["paused"]
    assert (tmp_path / "out" / "merge" / "manifest.parquet").is_file()
    assert "Traceback" not in serve_log.read_text() + again_log.read_text()

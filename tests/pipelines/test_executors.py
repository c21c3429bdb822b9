from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.executors import stream_batches, worker_count


def doubled(number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def lost(number: int) -> int:
    return -number


def test_an_unknown_backend_is_named() -> None:
    with pytest.raises(SettingsError, match="unknown backend 'spark': expected one of processes, ray"):
        stream_batches(doubled, [1], workers=1, crashed=lost, batch=1, backend="spark")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "ray"])
def test_results_keep_their_order_and_a_crash_loses_one_item(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ray runs what the driver's modules hold; without this folder on its path it could not unpickle these functions.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    batches = list(stream_batches(doubled, range(9), workers=2, crashed=lost, batch=3, backend=backend))
    assert batches == [[0, 2, 4], [6, 8, -5], [12, 14, 16]]


def test_workers_are_as_asked_or_one_a_core() -> None:
    assert worker_count(3) == 3
    assert worker_count(0) >= 1

"""One small trained classifier of each head, shared by the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.outcome import plot_run
from models.settings import Head, TrainSettings
from models.train import TrainResult, train
from tests.models.builders import colour_rows, save_rows


def tiny(**changes: Any) -> TrainSettings:
    """Settings that learn colour-coded photos of 32 pixels in about two seconds."""
    values: dict[str, Any] = {
        "model": "test_resnet",
        "image_size": 32,
        "epochs": 7,
        "batch_size": 16,
        "learning_rate": 3e-3,
        "label_smoothing": 0.05,
        "device": "cpu",
    }
    return TrainSettings(**{**values, **changes})


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Two threads on models this small do nothing but wait for each other when the machine is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="package", autouse=True)
def unplotted() -> Iterator[None]:
    """Pictures take two thirds of a run this small: only the runs whose pictures are looked at draw them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.train.plot_run", lambda *_: None)
        yield


@dataclass(frozen=True)
class Trained:
    """A manifest and what training on it gave."""

    manifest: Path
    out: Path
    settings: TrainSettings
    result: TrainResult


def _trained(folder: Path, head: Head) -> Trained:
    manifest = save_rows(folder / "data", colour_rows(folder / "data", people_per_cell=8))
    settings = tiny(head=head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.train.plot_run", plot_run)
        return Trained(manifest, folder / "out", settings, train(manifest, folder / "out", settings))


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return _trained(tmp_path_factory.mktemp("single"), "single")


@pytest.fixture(scope="session")
def triple(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return _trained(tmp_path_factory.mktemp("triple"), "triple")

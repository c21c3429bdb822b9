from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.checkpoint import load_checkpoint
from models.settings import TrainSettings
from pipelines.errors import SettingsError
from pipelines.fold_training import train_one_or_all
from pipelines.processes import process_count, rank
from pipelines.settings import TrainFlowSettings
from pipelines.training_photos import prepare_photos
from tests.models.builders import colour_rows, save_rows


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return save_rows(tmp_path / "data", colour_rows(tmp_path / "data", people_per_cell=4))


def test_a_process_alone_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "")
    assert (rank(), process_count()) == (0, 1)
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert (rank(), process_count()) == (3, 4)


def test_only_the_first_process_packs(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrainFlowSettings(
        manifest=manifest, out=tmp_path / "out", training=TrainSettings(image_size=32, cache=tmp_path / "cache")
    )
    monkeypatch.setenv("RANK", "1")
    prepare_photos(settings)
    assert not (tmp_path / "cache").exists()
    monkeypatch.setenv("RANK", "0")
    prepare_photos(settings)
    assert (tmp_path / "cache").exists()


def test_folds_are_for_one_process(manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="by one process, and 2 were launched: leave folds out"):
        train_one_or_all(TrainFlowSettings(manifest=manifest, out=tmp_path / "out", folds="all"), None)


@pytest.mark.slow
def test_two_processes_train_one_model_together(manifest: Path, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    small = [
        "--model=test_resnet",
        "--image-size=32",
        "--epochs=3",
        "--batch-size=16",
        "--learning-rate=3e-3",
        "--device=cpu",
    ]
    done = subprocess.run(
        [*launch, "-m", "pipelines.cli", "train", str(manifest), "--out=out", "--cache=cache", *small],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("Trained") == 1
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["processes"] == 2
    assert metrics["epochs"] == 3
    assert metrics["history"][2]["train_loss"] < metrics["history"][0]["train_loss"]
    assert load_checkpoint(tmp_path / "out" / "model.safetensors")[1].epoch in (1, 2, 3)

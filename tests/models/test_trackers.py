from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from models.errors import SettingsError
from models.settings import TrainSettings
from models.trackers import TENSORBOARD, Trackers, _name, flat

ROWS = [{"epoch": each, "loss": 1.0 / each, "heads": {"mask": {"accuracy": 0.1 * each}}} for each in (1, 2, 3)]


def log_all(settings: TrainSettings, out: Path) -> None:
    trackers = Trackers(settings, out, "a-run")
    for row in ROWS:
        trackers.log(row)
    trackers.close()


def test_nothing_is_written_unless_asked_for(tmp_path: Path) -> None:
    log_all(TrainSettings(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_reads_the_curves(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log_all(TrainSettings(tensorboard=True), tmp_path)
    events = EventAccumulator(str(tmp_path / TENSORBOARD)).Reload()
    assert {each.step: each.value for each in events.Scalars("loss")} == pytest.approx({1: 1, 2: 0.5, 3: 1 / 3})
    assert [each.value for each in events.Scalars("heads/mask/accuracy")] == pytest.approx([0.1, 0.2, 0.3])


def test_weights_and_biases_keeps_a_log_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    log_all(TrainSettings(wandb="offline"), tmp_path / "out")
    (run,) = (tmp_path / "out" / "wandb").glob("offline-run-*")
    log = next(run.glob("*.wandb"))
    for _ in range(200):  # its writer is a process of its own, which ends a little later
        if b"heads/mask/accuracy" in log.read_bytes():
            break
        time.sleep(0.1)
    assert log.read_bytes().count(b"heads/mask/accuracy") >= len(ROWS)


@pytest.mark.parametrize(
    ("package", "settings"), [("wandb", {"wandb": "offline"}), ("tensorboard", {"tensorboard": True})]
)
def test_a_tracker_that_is_not_installed_is_named(
    package: str, settings: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    with pytest.raises(SettingsError, match=rf"{package} isn't installed: install palette-faces\[track\]"):
        Trackers(TrainSettings(**settings), tmp_path, "a-run")  # type: ignore[arg-type]


def test_nested_figures_become_names_with_slashes() -> None:
    assert flat(ROWS[0]) == {"epoch": 1, "loss": 1.0, "heads/mask/accuracy": pytest.approx(0.1)}


def test_another_folder_is_another_run_and_the_same_one_the_same(tmp_path: Path) -> None:
    names = [_name(tmp_path / each, key) for each, key in (("a", "k"), ("a", "k"), ("b", "k"), ("a", "l"))]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_a_log_that_does_not_start_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wandb

    def refuse(**_: object) -> None:
        raise wandb.errors.UsageError("no API key configured")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(SettingsError, match=r"does not start \(no API key configured\): log in \(wandb login\)"):
        Trackers(TrainSettings(wandb="online"), tmp_path, "a-run")

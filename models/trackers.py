"""Where a run's curves go besides its own files: TensorBoard, Weights & Biases, or nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.errors import SettingsError
from models.settings import TrainSettings

TENSORBOARD = "tensorboard"

Tracker = Callable[[dict[str, Any]], None]


class Trackers:
    """Takes the history of a run, row by row.

    Args:
        settings: which trackers.
        out: the run's folder, below which they write.
        key: what the run is known by; a run that goes on in the same folder is the same run there.

    Raises:
        SettingsError: the package of a tracker isn't installed.
    """

    def __init__(self, settings: TrainSettings, out: Path, key: str) -> None:
        self._close: list[Callable[[], Any]] = []
        self._log: list[Tracker] = []
        if settings.tensorboard:
            self._start_tensorboard(out / TENSORBOARD)
        if settings.wandb != "off":
            self._start_wandb(settings, out, _name(out, key))

    def log(self, row: dict[str, Any]) -> None:
        """Takes one row of `metrics.json`'s history."""
        values = flat(row)
        for log in self._log:
            log(values)

    def close(self) -> None:
        """Ends the logs; called however a run ends."""
        for close in self._close:
            close()
        self._close, self._log = [], []

    def _start_tensorboard(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise SettingsError(_missing("tensorboard")) from error
        writer = SummaryWriter(str(folder))

        def log(values: dict[str, float]) -> None:
            for name, value in values.items():
                if name != "epoch":
                    writer.add_scalar(name, value, int(values["epoch"]))
            writer.flush()

        self._log.append(log)
        self._close.append(writer.close)

    def _start_wandb(self, settings: TrainSettings, out: Path, name: str) -> None:
        try:
            import wandb
        except ImportError as error:
            raise SettingsError(_missing("wandb")) from error
        out.mkdir(parents=True, exist_ok=True)
        try:
            run = wandb.init(
                project="palette",
                id=name,
                resume="allow",
                dir=str(out),
                mode="offline" if settings.wandb == "offline" else "online",
                config=settings.to_dict(),
                settings=wandb.Settings(silent=True, console="off"),
            )
        except wandb.errors.Error as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise SettingsError(
                f"Weights & Biases does not start ({reason[:200]}): log in (wandb login), or choose offline"
            ) from error
        self._log.append(lambda values: run.log(values, step=int(values["epoch"])))
        self._close.append(run.finish)


def flat(row: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested figures as one level, names joined by slashes."""
    values: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            values |= flat(value, f"{prefix}{name}/")
        else:
            values[prefix + name] = value
    return values


def _name(out: Path, key: str) -> str:
    return hashlib.sha256(f"{out.resolve()}|{key}".encode()).hexdigest()[:16]


def _missing(package: str) -> str:
    return f"{package} isn't installed: install palette-faces[track], or leave this setting off"

"""What a training run leaves: its metrics, its checkpoint's description, its plots and its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch

from datasets.atomic import atomic_write
from models.checkpoint import CheckpointConfig
from models.classifier import Built
from models.data import unique_refusals
from models.heads import MISSING
from models.loop import Run
from models.plots import plot_curves, plot_head_confusions, plot_label_confusion
from models.scoring import Scores
from models.settings import TrainSettings
from models.splits import Splits


def metrics_of(
    run: Run, splits: Splits, scored: dict[str, Scores | None], headline: str, built: Built
) -> dict[str, Any]:
    """What `metrics.json` holds, but for the seconds; see `models.train.TrainResult`."""
    chosen = scored[headline]
    assert chosen is not None  # noqa: S101  the headline is the set that has rows
    return {
        "settings": run.settings.to_dict(),
        "data": splits.notes,
        "headline": headline,
        "best_epoch": run.best_epoch,
        "epochs": len(run.history),
        "macro_f1": chosen.macro_f1,
        "accuracy": chosen.label.accuracy,
        "scores": {name: each.to_dict() if each is not None else None for name, each in scored.items()},
        "history": run.history,
        "refusals": [vars(each) for each in unique_refusals(run.refusals)],
        "device": str(run.accelerator.device),
        "processes": run.accelerator.num_processes,
        "weights": {"origin": built.origin, "licence": built.licence},
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
    }


def config_of(metrics: dict[str, Any], splits: Splits, settings: TrainSettings, built: Built) -> CheckpointConfig:
    """The description that goes into the checkpoint."""
    labels = splits.train.labels
    known = labels[labels != MISSING]
    return CheckpointConfig(
        model=settings.model,
        head=settings.layout.head,
        parts=settings.layout.parts,
        age_as=settings.layout.age_as,
        image_size=settings.image_size,
        crop=settings.crop,
        mean=built.mean,
        std=built.std,
        most_frequent=int(np.bincount(known).argmax()) if len(known) else 0,
        origin=built.origin,
        licence=built.licence,
        epoch=metrics["best_epoch"],
        scores={"macro_f1": metrics["macro_f1"], "accuracy": metrics["accuracy"]},
    )


def plot_run(run: Run, scored: dict[str, Scores | None], headline: str, out: Path) -> None:
    """Draws `curves.png`, and the confusions of each set of held-out photos that has rows."""
    plot_curves(run.history, run.best_epoch, out / "curves.png")
    for name, each in scored.items():
        if each is None:
            continue
        suffix = "" if name == headline else f"_{name}"
        if each.label.rows:
            plot_label_confusion(each, out / f"confusion{suffix}.png", f"Held-out people, {name} photos")
        plot_head_confusions(each, out / f"confusion_heads{suffix}.png", f"Held-out people, {name} photos")


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Writes values as JSON, atomically; the same values give the same bytes."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")

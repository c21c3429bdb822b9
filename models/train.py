"""Training: from a merged manifest to a checkpoint, its scores and its plots. `train` reads from top to bottom."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from datasets.atomic import atomic_write
from datasets.refusals import Refusal
from models.checkpoint import CheckpointConfig, save_checkpoint
from models.classifier import Built, build_classifier
from models.data import Examples, Item, PhotoDataset, make_loader, unique_refusals
from models.devices import choose_device, choose_workers, gradient_scaler, mixed_precision
from models.errors import TrainingDataError
from models.heads import MISSING
from models.inference import Progress, Reading, answer
from models.losses import LabelLoss, make_loss, plain_loss
from models.mixing import Mixer
from models.optimisers import make_optimiser, make_schedule
from models.plots import plot_curves, plot_head_confusions, plot_label_confusion
from models.resume import clear_state, fingerprint, load_state, save_state
from models.sampling import BalancedSampler, make_sampler
from models.scoring import Scores, score
from models.settings import TrainSettings
from models.splits import Splits, split_manifest
from models.transforms import PhotoTransform

CHECKPOINT = "model.safetensors"
METRICS = "metrics.json"

_STAGE = "train"
_CLIP = 5.0


@dataclass(frozen=True)
class TrainResult:
    """What a run gives.

    Attributes:
        checkpoint: path of the epoch kept.
        metrics: what `metrics.json` holds: `settings`, `data`, `headline` (which of the two sets of scores chose the
            epoch), `best_epoch`, `macro_f1` and `accuracy` (of the headline), `scores` (`real`, `synthetic`: of
            `models.scoring.Scores.to_dict`, None where there is no such row), `history` by epoch, `refusals`,
            `device`, `versions`, `seconds`.
    """

    checkpoint: Path
    metrics: dict[str, Any]


@dataclass
class _Run:
    """The moving parts of a run."""

    network: nn.Module
    loss: LabelLoss
    optimiser: torch.optim.AdamW
    schedule: LambdaLR
    scaler: torch.amp.GradScaler
    loader: DataLoader[Item]
    sampler: BalancedSampler
    device: torch.device
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)


def train(manifest: Path, out: Path, settings: TrainSettings, progress: Progress | None = None) -> TrainResult:
    """Trains a classifier on a manifest's other folds and scores it on the people of the one held out.

    Writes to `out`: `model.safetensors` (the epoch with the best macro F1), `metrics.json`, `curves.png`,
    `confusion.png` (18 x 18) and `confusion_heads.png`, and `*_synthetic.png` where variants were held out too. A run
    that is killed leaves its state there, and the same call goes on from it; on a CPU it ends with the same model as
    a run that was not.

    Args:
        manifest: the merged manifest, its file or its folder.
        out: folder to write to; made.
        settings: of the run.
        progress: called as progress(rows drawn, rows to draw) over all epochs.

    Raises:
        ModelsError: the manifest can't be learned from, or the model or device isn't there.
        DatasetsError: the manifest can't be read, or its folds leak.
    """
    started = time.monotonic()
    manifest, out = Path(manifest), Path(out)
    device = choose_device(settings.device)
    workers = choose_workers(settings.workers, device)
    splits = split_manifest(manifest, settings)
    torch.manual_seed(settings.seed)
    built = build_classifier(
        settings.model,
        settings.layout,
        settings.image_size,
        pretrained=settings.pretrained,
        weights=settings.weights,
    )
    reading = Reading(settings.image_size, built.mean, built.std, settings.batch_size, workers)
    run = _set_up(built, splits.train, reading, settings, device)
    headline = "real" if settings.layout.scorable(splits.real.codes) else "synthetic"
    held_out = splits.real if headline == "real" else splits.synthetic

    key = fingerprint(manifest, settings)
    begin = _go_on(run, out, key) if settings.resume else 0
    for epoch in range(begin, settings.epochs):
        train_loss = _train_epoch(run, epoch, settings, progress)
        scores, loss = _evaluate(run, held_out, reading, settings)
        run.history.append(_history_row(epoch, train_loss, loss, scores))
        if _goodness(run.history[-1]) > max(map(_goodness, run.history[:-1]), default=(-1.0, 0.0)):
            run.best_epoch = epoch + 1
            run.best = {name: tensor.detach().cpu().clone() for name, tensor in run.network.state_dict().items()}
        save_state(out, key, _state_of(run))

    run.network.load_state_dict(run.best)
    scored = {
        name: _evaluate(run, examples, reading, settings)[0] if len(examples) else None
        for name, examples in (("real", splits.real), ("synthetic", splits.synthetic))
    }
    metrics = _metrics(run, splits, scored, headline, settings, built)
    checkpoint = save_checkpoint(out / CHECKPOINT, run.best, _config(metrics, splits, settings, built))
    _plot(run, scored, headline, out)
    metrics["seconds"] = round(time.monotonic() - started, 1)
    _write_json(out / METRICS, metrics)
    clear_state(out)
    return TrainResult(checkpoint, metrics)


def _set_up(built: Built, examples: Examples, reading: Reading, settings: TrainSettings, device: torch.device) -> _Run:
    network = built.network.to(device)
    sampler = make_sampler(examples, settings)
    amounts = sampler.probabilities[:, None] * examples.weights
    transform = PhotoTransform(reading.image_size, reading.mean, reading.std, settings.augment)
    dataset = PhotoDataset(examples, transform, reading.image_size, _STAGE)
    # A last batch of one photo would break batch normalisation; a set smaller than a batch must still be drawn.
    loader = make_loader(
        dataset, sampler, reading.batch_size, reading.workers, drop_last=len(sampler) >= reading.batch_size
    )
    optimiser = make_optimiser(network, settings)
    return _Run(
        network=network,
        loss=make_loss(settings.layout, settings, examples.codes, amounts).to(device),
        optimiser=optimiser,
        schedule=make_schedule(optimiser, len(loader), settings),
        scaler=gradient_scaler(device),
        loader=loader,
        sampler=sampler,
        device=device,
    )


def _train_epoch(run: _Run, epoch: int, settings: TrainSettings, progress: Progress | None) -> float:
    """One pass over as many draws as there are rows; the mean loss."""
    # Seeded by epoch, so that a run that goes on draws what it would have drawn.
    torch.manual_seed(settings.seed * 100_003 + epoch)
    run.sampler.set_epoch(epoch)
    run.loss.set_epoch(epoch / settings.epochs)
    mixer = Mixer(settings)
    run.network.train()
    total, rows = 0.0, 0
    drawn, all_rows = epoch * len(run.sampler), settings.epochs * len(run.sampler)
    for step, batch in enumerate(run.loader):
        run.refusals += batch.refusals
        if len(batch.index) >= 2:
            total += _step(run, batch, mixer, epoch, step) * len(batch.index)
            rows += len(batch.index)
        drawn += batch.drawn
        if progress is not None:
            progress(drawn, all_rows)
    if progress is not None:
        progress((epoch + 1) * len(run.sampler), all_rows)
    if not rows and run.refusals:
        raise TrainingDataError(_none_read("train on", run.refusals))
    if not np.isfinite(total):
        raise TrainingDataError(
            f"the loss stopped being a number in epoch {epoch + 1}: lower learning_rate ({settings.learning_rate:g})"
        )
    return total / max(rows, 1)


def _step(run: _Run, batch: Any, mixer: Mixer, epoch: int, step: int) -> float:
    mixed = mixer.mix(batch.images.to(run.device), batch.targets.to(run.device), epoch, step)
    with mixed_precision(run.device):
        loss: Any = run.loss.mixed(run.network(mixed.images), mixed)
    run.optimiser.zero_grad(set_to_none=True)
    run.scaler.scale(loss).backward()
    run.scaler.unscale_(run.optimiser)
    nn.utils.clip_grad_norm_(run.network.parameters(), _CLIP)
    run.scaler.step(run.optimiser)
    run.scaler.update()
    run.schedule.step()
    return float(loss.detach())


def _evaluate(run: _Run, examples: Examples, reading: Reading, settings: TrainSettings) -> tuple[Scores, float]:
    """Scores, and the loss without smoothing or class weights, of the examples that can be read."""
    answers = answer(run.network, examples, reading, settings.layout, run.device, stage=_STAGE)
    run.refusals += answers.refusals
    if not len(answers.index):
        raise TrainingDataError(_none_read("score on", answers.refusals))
    truth = examples.targets(answers.index)
    loss = plain_loss(settings.layout)(answers.logits, truth)
    return score(examples.codes[answers.index], answers.chances.codes()), float(loss)


def _none_read(purpose: str, refusals: Sequence[Refusal]) -> str:
    first = refusals[0]
    return (
        f"none of the photos to {purpose} could be read, such as {first.photo_id} ({first.reason}: {first.detail}): "
        "is the manifest still beside its photos?"
    )


def _history_row(epoch: int, train_loss: float, loss: float, scores: Scores) -> dict[str, Any]:
    heads = {name: {"macro_f1": each.macro_f1, "accuracy": each.accuracy} for name, each in scores.heads.items()}
    return {
        "epoch": epoch + 1,
        "train_loss": train_loss,
        "loss": loss,
        "macro_f1": scores.macro_f1,
        "macro_f1_present": scores.label.macro_f1_present,
        "accuracy": scores.label.accuracy,
        "heads": heads,
    }


def _goodness(row: dict[str, Any]) -> tuple[float, float]:
    """Epochs are ranked by macro F1; few held-out people make ties, which the lower loss settles."""
    return row["macro_f1"], -row["loss"]


def _state_of(run: _Run) -> dict[str, Any]:
    return {
        "network": run.network.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "schedule": run.schedule.last_epoch,
        "scaler": run.scaler.state_dict(),
        "history": run.history,
        "best_epoch": run.best_epoch,
        "best": run.best,
        "refusals": [[each.photo_id, each.stage, each.reason, each.detail] for each in run.refusals],
    }


def _go_on(run: _Run, out: Path, key: str) -> int:
    """Takes up the state of a run that was killed; how many epochs it had done."""
    state = load_state(out, key)
    if state is None:
        return 0
    run.network.load_state_dict(state["network"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.schedule.last_epoch = state["schedule"]
    run.scaler.load_state_dict(state["scaler"])
    run.history, run.best_epoch, run.best = state["history"], state["best_epoch"], state["best"]
    run.refusals = [Refusal(*each) for each in state["refusals"]]
    return len(run.history)


def _metrics(
    run: _Run,
    splits: Splits,
    scored: dict[str, Scores | None],
    headline: str,
    settings: TrainSettings,
    built: Built,
) -> dict[str, Any]:
    chosen = scored[headline]
    assert chosen is not None  # noqa: S101  the headline is the set that has rows
    return {
        "settings": settings.to_dict(),
        "data": splits.notes,
        "headline": headline,
        "best_epoch": run.best_epoch,
        "macro_f1": chosen.macro_f1,
        "accuracy": chosen.label.accuracy,
        "scores": {name: each.to_dict() if each is not None else None for name, each in scored.items()},
        "history": run.history,
        "refusals": [vars(each) for each in unique_refusals(run.refusals)],
        "device": str(run.device),
        "weights": {"origin": built.origin, "licence": built.licence},
        "versions": {"torch": torch.__version__, "timm": timm.__version__},
    }


def _config(metrics: dict[str, Any], splits: Splits, settings: TrainSettings, built: Built) -> CheckpointConfig:
    labels = splits.train.labels
    known = labels[labels != MISSING]
    return CheckpointConfig(
        model=settings.model,
        head=settings.layout.head,
        parts=settings.layout.parts,
        age_as=settings.layout.age_as,
        image_size=settings.image_size,
        mean=built.mean,
        std=built.std,
        most_frequent=int(np.bincount(known).argmax()) if len(known) else 0,
        origin=built.origin,
        licence=built.licence,
        epoch=metrics["best_epoch"],
        scores={"macro_f1": metrics["macro_f1"], "accuracy": metrics["accuracy"]},
    )


def _plot(run: _Run, scored: dict[str, Scores | None], headline: str, out: Path) -> None:
    plot_curves(run.history, run.best_epoch, out / "curves.png")
    for name, each in scored.items():
        if each is not None:
            suffix = "" if name == headline else f"_{name}"
            plot_label_confusion(each, out / f"confusion{suffix}.png", f"Held-out people, {name} photos")
            plot_head_confusions(each, out / f"confusion_heads{suffix}.png", f"Held-out people, {name} photos")


def _write_json(path: Path, values: dict[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")

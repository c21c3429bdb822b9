"""Training: from a merged manifest to a checkpoint, its scores and its plots. `train` reads from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object
from timm.utils import ModelEmaV3
from torch.utils.data import DataLoader

from datasets.refusals import Refusal
from models.checkpoint import save_checkpoint
from models.classifier import Built, build_classifier, try_out
from models.data import Examples, Item, PhotoDataset, SizedLoader, make_loader, none_read
from models.devices import choose_device, choose_workers, make_accelerator
from models.errors import TrainingDataError
from models.headline import headline_of
from models.inference import Progress, Reading, answer
from models.loop import Run, steps_per_epoch, train_epoch
from models.losses import make_loss, plain_loss
from models.mixing import Mixer
from models.model_card import CARD, model_card
from models.optimisers import freeze_body, make_optimiser, make_schedule
from models.outcome import config_of, metrics_of, plot_run, write_json
from models.resume import clear_state, fingerprint, load_state, save_state
from models.sampling import BalancedSampler, make_sampler
from models.scoring import Scores, score
from models.settings import TrainSettings
from models.sizes import parse_sizes, size_at
from models.splits import Splits, packed_splits, split_manifest
from models.trackers import Trackers
from models.transforms import PhotoTransform

CHECKPOINT = "model.safetensors"
CONFIG = "config.json"
METRICS = "metrics.json"

_STAGE = "train"


@dataclass(frozen=True)
class TrainResult:
    """What a run gives.

    Attributes:
        checkpoint: path of the epoch kept.
        metrics: what `metrics.json` holds: `settings`, `data`, `headline` (which of the two sets of scores chose the
            epoch), `best_epoch`, `epochs` (done), `macro_f1` and `accuracy` (of the headline), `scores` (`real`,
            `synthetic`: of `models.scoring.Scores.to_dict`, None where there is no such row), `history` by epoch,
            `refusals`, `device`, `processes`, `versions`, `seconds`.
    """

    checkpoint: Path
    metrics: dict[str, Any]


def train(manifest: Path, out: Path, settings: TrainSettings, progress: Progress | None = None) -> TrainResult:
    """Trains a classifier on a manifest's other folds and scores it on the people of the one held out.

    Writes to `out`: `model.safetensors` (the epoch with the best macro F1), `config.json` (what it takes to use it),
    `MODEL_CARD.md`, `metrics.json`, `curves.png`, `confusion.png` (18 x 18) and `confusion_heads.png`, and
    `*_synthetic.png` where variants were held out too. A run that is killed leaves its state there, and the same call
    goes on from it; on a CPU it ends with the same model as a run that was not.

    Under `accelerate launch` each process trains on its share of every epoch, and the first scores and writes.

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
    accelerator = make_accelerator(choose_device(settings.device))
    workers = choose_workers(settings.workers, accelerator.device)
    with accelerator.main_process_first():
        splits = packed_splits(split_manifest(manifest, settings), settings, workers=max(workers, 1))
    torch.manual_seed(settings.seed)
    sides = [side for side, _ in parse_sizes(settings.sizes, settings.image_size)]
    built = build_classifier(
        settings.model,
        settings.layout,
        settings.image_size,
        pretrained=settings.pretrained,
        weights=settings.weights,
        any_size=len(sides) > 1,
    )
    for side in sides[:-1]:
        try_out(built.network, settings.model, side)
    reading = Reading(settings.image_size, built.mean, built.std, settings.batch_size, workers)
    sampler = make_sampler(splits.train, settings)
    loaders = SizedLoader(partial(_make_loader, splits.train, sampler, reading, settings, accelerator))
    steps = steps_per_epoch(loaders.at(size_at(0, settings)), settings)
    run = _set_up(built, splits.train, sampler, steps, settings, accelerator)
    headline = headline_of(splits.real.codes, splits.synthetic.codes, settings.layout.columns)
    held_out = splits.real if headline == "real" else splits.synthetic

    key = fingerprint(manifest, settings, accelerator.num_processes)
    begin = _go_on(run, out, key) if settings.resume else 0
    trackers = Trackers(settings if accelerator.is_main_process else TrainSettings(), out, key)
    try:
        for epoch in range(begin, settings.epochs):
            if _is_done(run):
                break
            train_loss = train_epoch(run, loaders.at(size_at(epoch, settings)), epoch, progress)
            run.history.append(_on_main(run, partial(_score_epoch, run, held_out, reading, train_loss)))
            _keep_the_best(run)
            if accelerator.is_main_process:
                trackers.log(run.history[-1])
                save_state(out, key, _state_of(run))
    finally:
        trackers.close()

    if accelerator.num_processes > 1:
        run.refusals = gather_object(run.refusals)
    metrics = _on_main(run, partial(_finish, run, splits, headline, built, reading, out, started))
    return TrainResult(out / CHECKPOINT, metrics)


def _finish(
    run: Run, splits: Splits, headline: str, built: Built, reading: Reading, out: Path, started: float
) -> dict[str, Any]:
    """Scores the epoch kept on all who were held out, and writes what the run leaves; the metrics."""
    run.scored.load_state_dict(run.best)
    scored: dict[str, Scores | None] = {}
    for name, examples in (("real", splits.real), ("synthetic", splits.synthetic)):
        try:
            scored[name] = evaluate(run, examples, reading)[0] if len(examples) else None
        except TrainingDataError:
            if name == headline:
                raise
            scored[name] = None  # its photos are refused; what was trained is worth keeping all the same
    metrics = metrics_of(run, splits, scored, headline, built)
    config = config_of(metrics, splits, run.settings, built)
    save_checkpoint(out / CHECKPOINT, run.best, config)
    write_json(out / CONFIG, config.to_dict())
    plot_run(run, scored, headline, out)
    model_card(config, metrics, out / CARD)
    metrics["seconds"] = round(time.monotonic() - started, 1)
    write_json(out / METRICS, metrics)
    clear_state(out)
    return metrics


def evaluate(run: Run, examples: Examples, reading: Reading) -> tuple[Scores, float]:
    """Scores, and the loss without smoothing or weights of classes and rows, of the examples that can be read.

    Raises:
        TrainingDataError: none of them can.
    """
    settings = run.settings
    answers = answer(run.scored, examples, reading, settings.layout, run.accelerator.device, stage=_STAGE)
    run.refusals += answers.refusals
    if not len(answers.index):
        raise TrainingDataError(none_read("score on", answers.refusals))
    loss = plain_loss(settings.layout)(answers.logits, examples.targets(answers.index))
    return score(examples.codes[answers.index], answers.chances.codes()), float(loss)


def _make_loader(
    examples: Examples,
    sampler: BalancedSampler,
    reading: Reading,
    settings: TrainSettings,
    accelerator: Accelerator,
    size: int,
) -> DataLoader[Item]:
    transform = PhotoTransform(size, reading.mean, reading.std, settings.augment)
    dataset = PhotoDataset(examples, transform, reading.image_size, _STAGE)
    # A last batch of one photo would break batch normalisation; a set smaller than a batch must still be drawn.
    drop_last = len(sampler) >= reading.batch_size * accelerator.num_processes
    loader = make_loader(dataset, sampler, reading.batch_size, reading.workers, drop_last=drop_last)
    if accelerator.num_processes == 1:
        return loader
    return cast("DataLoader[Item]", accelerator.prepare_data_loader(loader, device_placement=False))


def _set_up(
    built: Built,
    examples: Examples,
    sampler: BalancedSampler,
    steps: int,
    settings: TrainSettings,
    accelerator: Accelerator,
) -> Run:
    network = built.network.to(accelerator.device)
    if settings.update == "heads":
        freeze_body(network)
    ema = ModelEmaV3(network, decay=settings.ema, use_warmup=True) if settings.ema else None
    amounts = sampler.probabilities[:, None] * examples.weights
    optimiser = make_optimiser(network, settings)
    return Run(
        settings=settings,
        accelerator=accelerator,
        network=network,
        wrapped=accelerator.prepare_model(network),
        ema=ema,
        loss=make_loss(settings.layout, settings, examples.codes, amounts).to(accelerator.device),
        mixer=Mixer(settings),
        optimiser=accelerator.prepare_optimizer(optimiser),
        schedule=make_schedule(optimiser, steps, settings),
        sampler=sampler,
    )


def _score_epoch(run: Run, held_out: Examples, reading: Reading, train_loss: float) -> dict[str, Any]:
    """A row of the history."""
    scores, loss = evaluate(run, held_out, reading)
    heads = {
        name: {"macro_f1": each.macro_f1, "accuracy": each.accuracy} for name, each in scores.heads.items() if each.rows
    }
    return {
        "epoch": len(run.history) + 1,
        "train_loss": train_loss,
        "loss": loss,
        "macro_f1": scores.macro_f1,
        "macro_f1_present": scores.label.macro_f1_present,
        "accuracy": scores.label.accuracy,
        "heads": heads,
    }


def _on_main(run: Run, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the first process finds, on all of them: they must agree on when to stop and what to keep."""
    found: list[dict[str, Any] | None] = [work() if run.accelerator.is_main_process else None]
    if run.accelerator.num_processes > 1:
        broadcast_object_list(found)
    assert found[0] is not None  # noqa: S101  the first process has found it
    return found[0]


def _keep_the_best(run: Run) -> None:
    if _best_of(run.history) == len(run.history) or run.settings.keep == "last":
        run.best_epoch = len(run.history)
        run.best = {name: tensor.detach().cpu().clone() for name, tensor in run.scored.state_dict().items()}


def _best_of(history: list[dict[str, Any]]) -> int:
    """The best epoch so far, from 1; of equally good ones the first."""
    return max(range(len(history)), key=lambda at: _goodness(history[at]), default=-1) + 1


def _goodness(row: dict[str, Any]) -> tuple[float, float]:
    """Epochs are ranked by macro F1; few held-out people make ties, which the lower loss settles."""
    return row["macro_f1"], -row["loss"]


def _is_done(run: Run) -> bool:
    """Whether the scores have stood still for as long as the settings' patience."""
    return 0 < run.settings.patience <= len(run.history) - _best_of(run.history)


def _state_of(run: Run) -> dict[str, Any]:
    scaler = run.accelerator.scaler
    return {
        "network": run.network.state_dict(),
        "ema": run.ema.module.state_dict() if run.ema is not None else None,
        "optimiser": run.optimiser.state_dict(),
        "schedule": run.schedule.last_epoch,
        "scaler": scaler.state_dict() if scaler is not None else None,
        "history": run.history,
        "best_epoch": run.best_epoch,
        "best": run.best,
        "refusals": [[each.photo_id, each.stage, each.reason, each.detail] for each in run.refusals],
    }


def _go_on(run: Run, out: Path, key: str) -> int:
    """Takes up the state of a run that was killed; how many epochs it had done."""
    state = load_state(out, key)
    if state is None:
        return 0
    run.network.load_state_dict(state["network"])
    if run.ema is not None:
        run.ema.module.load_state_dict(state["ema"])
    run.optimiser.load_state_dict(state["optimiser"])
    run.schedule.last_epoch = state["schedule"]
    if run.accelerator.scaler is not None and state["scaler"] is not None:
        run.accelerator.scaler.load_state_dict(state["scaler"])
    run.history, run.best_epoch, run.best = state["history"], state["best_epoch"], state["best"]
    run.refusals = [Refusal(*each) for each in state["refusals"]]
    return len(run.history)

"""One epoch of training: batches, steps, the running mean of the weights."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from timm.utils import ModelEmaV3
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader

from datasets.refusals import Refusal
from models.data import Batch, Item, none_read
from models.errors import TrainingDataError
from models.inference import Progress
from models.losses import LabelLoss
from models.mixing import Mixer
from models.optimisers import clip_gradients
from models.sampling import BalancedSampler
from models.settings import TrainSettings
from models.targets import Targets


@dataclass
class Run:
    """The moving parts of a run.

    Attributes:
        settings: of the run.
        accelerator: where it runs: one CPU, a GPU, or several.
        network: the model itself.
        wrapped: the model as several processes train it together; the model itself where there is one.
        ema: the running mean of its weights, where asked for.
        loss: of a batch.
        mixer: mixes the photos of a batch, where asked for.
        optimiser: with its schedule, stepped once for `settings.accumulate` batches.
        sampler: draws the rows of an epoch.
        history: a row an epoch.
        best_epoch: the epoch kept, from 1; 0 before the first.
        best: its weights.
        refusals: photos that could not be read.
    """

    settings: TrainSettings
    accelerator: Accelerator
    network: nn.Module
    wrapped: nn.Module
    ema: ModelEmaV3 | None
    loss: LabelLoss
    mixer: Mixer
    optimiser: Any
    schedule: LambdaLR
    sampler: BalancedSampler
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def scored(self) -> nn.Module:
        """What is scored and kept: the running mean where there is one."""
        return self.network if self.ema is None else self.ema.module


def train_epoch(run: Run, loader: DataLoader[Item], epoch: int, progress: Progress | None) -> float:
    """One pass over as many draws as the sampler gives; the mean loss.

    Raises:
        TrainingDataError: no photo could be read, or the loss stopped being a number.
    """
    # Seeded by epoch, so that a run that goes on draws what it would have drawn.
    torch.manual_seed(run.settings.seed * 100_003 + epoch)
    run.sampler.set_epoch(epoch)
    run.loss.set_epoch(epoch / run.settings.epochs)
    run.optimiser.zero_grad(set_to_none=True)
    _set_training(run)
    total, rows = 0.0, 0
    drawn, all_rows = epoch * len(run.sampler), run.settings.epochs * len(run.sampler)
    last = len(loader) - 1
    for at, batch in enumerate(loader):
        run.refusals += batch.refusals
        count = len(batch.index)
        # A photo alone would break batch normalisation; of several processes none may leave out a step.
        if count >= 2 or run.accelerator.num_processes > 1:
            whole = (at + 1) % run.settings.accumulate == 0 or at == last
            total += _step(run, batch if count >= 2 else _blank(run), (epoch, at), step=whole) * count
            rows += count
        drawn += batch.drawn * run.accelerator.num_processes
        if progress is not None:
            progress(min(drawn, (epoch + 1) * len(run.sampler)), all_rows)
    if progress is not None:
        progress((epoch + 1) * len(run.sampler), all_rows)
    if not rows:
        raise TrainingDataError(none_read("train on", run.refusals) if run.refusals else _too_few(run))
    if not np.isfinite(total):
        raise TrainingDataError(
            f"the loss stopped being a number in epoch {epoch + 1}: lower learning_rate "
            f"({run.settings.learning_rate:g})"
        )
    return total / max(rows, 1)


def steps_per_epoch(loader: DataLoader[Item], settings: TrainSettings) -> int:
    """Steps of the optimiser in an epoch."""
    return -(-len(loader) // settings.accumulate)


def _set_training(run: Run) -> None:
    """Training mode; a body that isn't trained keeps its running statistics."""
    run.wrapped.train()
    if run.settings.update == "heads":
        run.network.eval()


def _step(run: Run, batch: Batch, place: tuple[int, int], *, step: bool) -> float:
    """Adds the gradients of the batch at (epoch, number), and steps where it ends what belongs together."""
    device = run.accelerator.device
    mixed = run.mixer.mix(batch.images.to(device), batch.targets.to(device), *place)
    # Processes tell each other their gradients at the last of several batches only; what decides is the way forward.
    with nullcontext() if step else run.accelerator.no_sync(run.wrapped):
        with run.accelerator.autocast():
            logits = run.wrapped(mixed.images)
        loss: Any = run.loss.mixed(logits, mixed)
        run.accelerator.backward(loss / run.settings.accumulate)
    if step:
        run.accelerator.unscale_gradients(run.optimiser)
        clip_gradients(run.network, run.settings)
        run.optimiser.step()
        run.optimiser.zero_grad(set_to_none=True)
        run.schedule.step()
        if run.ema is not None:
            run.ema.update(run.network, step=run.schedule.last_epoch)
    return float(loss.detach())


def _too_few(run: Run) -> str:
    processes = run.accelerator.num_processes
    return (
        f"the {len(run.sampler)} draws of an epoch make no batch of two photos and more"
        + (f" for each of {processes} processes" if processes > 1 else "")
        + f": raise epoch_rows, or lower batch_size ({run.settings.batch_size})"
    )


def _blank(run: Run) -> Batch:
    """Two photos of nothing that teach nothing: for a process whose own photos could not be read."""
    size = run.settings.image_size
    nothing = Targets(torch.full((2, 3), -1, dtype=torch.int64), torch.full((2,), torch.nan), torch.zeros((2, 3)))
    return Batch(torch.zeros(2, 3, size, size), nothing, np.zeros(0, dtype=np.int64), (), 0)

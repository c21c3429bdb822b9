"""A model's answers for many photos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datasets.refusals import Refusal
from models.chances import Chances, chances_of
from models.data import Examples, PhotoDataset, make_loader
from models.devices import mixed_precision
from models.heads import Layout
from models.sampling import InOrder
from models.transforms import PhotoTransform

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said.

    Attributes:
        index: (M,) rows of the examples that could be read, in order.
        chances: of those M.
        logits: (M, `layout.n_outputs`) float32, on the CPU.
        refusals: of the photos that could not be read.
    """

    index: NDArray[np.int64]
    chances: Chances
    logits: torch.Tensor
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True)
class Reading:
    """How photos are read for a model.

    Attributes:
        image_size: side of its square, pixels.
        mean: of each colour, RGB, values 0..1.
        std: likewise.
        batch_size: photos at once.
        workers: processes that read; 0 reads here.
    """

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    batch_size: int
    workers: int


def answer(
    network: nn.Module,
    examples: Examples,
    reading: Reading,
    layout: Layout,
    device: torch.device,
    *,
    stage: str,
    progress: Progress | None = None,
) -> Answers:
    """Asks a model what it sees in examples; leaves it in evaluation mode.

    Args:
        layout: what its numbers stand for.
        stage: what refusals say they come from.
        progress: called as progress(photos done, photos).
    """
    transform = PhotoTransform(reading.image_size, reading.mean, reading.std)
    dataset = PhotoDataset(examples, transform, reading.image_size, stage)
    loader = make_loader(dataset, InOrder(len(examples)), reading.batch_size, reading.workers)
    network.eval()
    logits, index, refusals, done = [], [np.zeros(0, dtype=np.int64)], [], 0
    with torch.inference_mode():
        for batch in loader:
            refusals += batch.refusals
            if len(batch.index):
                with mixed_precision(device):
                    given = network(batch.images.to(device))
                logits.append(given.float().cpu())
                index.append(batch.index)
            done += batch.drawn
            if progress is not None:
                progress(done, len(examples))
    said = torch.cat(logits) if logits else torch.zeros(0, layout.n_outputs)
    return Answers(np.concatenate(index), chances_of(said, layout), said, tuple(refusals))

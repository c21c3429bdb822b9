"""A model's answers for many photos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from datasets.refusals import Refusal
from models.chances import Chances, chances_of, mean_of
from models.data import Examples, PhotoDataset, make_loader
from models.devices import mixed_precision
from models.heads import Layout
from models.sampling import InOrder
from models.settings import Tta
from models.transforms import PhotoTransform
from models.views import views

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said.

    Attributes:
        index: (M,) rows of the examples that could be read, in order.
        chances: of those M.
        logits: (M, `layout.n_outputs`) float32, on the CPU; of the first view, which is the photo as it is.
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


@dataclass(frozen=True, eq=False)
class Asked:
    """A model that is asked.

    Attributes:
        network: on the device.
        layout: what its numbers stand for.
    """

    network: nn.Module
    layout: Layout


def answer(
    network: nn.Module,
    examples: Examples,
    reading: Reading,
    layout: Layout,
    device: torch.device,
    *,
    stage: str,
    tta: Tta = "none",
    progress: Progress | None = None,
) -> Answers:
    """Asks a model what it sees in examples; leaves it in evaluation mode.

    Args:
        layout: what its numbers stand for.
        stage: what refusals say they come from.
        tta: views of each photo, whose chances are averaged.
        progress: called as progress(photos done, photos).
    """
    return answer_all([Asked(network, layout)], examples, reading, device, stage=stage, tta=tta, progress=progress)[0]


def answer_all(
    asked: Sequence[Asked],
    examples: Examples,
    reading: Reading,
    device: torch.device,
    *,
    stage: str,
    tta: Tta = "none",
    progress: Progress | None = None,
) -> list[Answers]:
    """Asks several models that see photos alike, each photo being read once; `answer` says what the arguments are."""
    transform = PhotoTransform(reading.image_size, reading.mean, reading.std)
    dataset = PhotoDataset(examples, transform, reading.image_size, stage)
    loader = make_loader(dataset, InOrder(len(examples)), reading.batch_size, reading.workers)
    for each in asked:
        each.network.eval()
    logits: list[list[list[torch.Tensor]]] = [[] for _ in asked]  # by model, batch and view
    index, refusals, done = [np.zeros(0, dtype=np.int64)], [], 0
    with torch.inference_mode():
        for batch in loader:
            refusals += batch.refusals
            if len(batch.index):
                seen = views(batch.images.to(device), tta)
                for kept, each in zip(logits, asked, strict=True):
                    with mixed_precision(device):
                        kept.append([each.network(view).float().cpu() for view in seen])
                index.append(batch.index)
            done += batch.drawn
            if progress is not None:
                progress(done, len(examples))
    rows = np.concatenate(index)
    return [_answers(kept, each.layout, rows, refusals) for kept, each in zip(logits, asked, strict=True)]


def _answers(
    logits: list[list[torch.Tensor]], layout: Layout, index: NDArray[np.int64], refusals: Sequence[Refusal]
) -> Answers:
    by_view = [torch.cat(batches) for batches in zip(*logits, strict=True)] or [torch.zeros(0, layout.n_outputs)]
    return Answers(index, mean_of([chances_of(said, layout) for said in by_view]), by_view[0], tuple(refusals))

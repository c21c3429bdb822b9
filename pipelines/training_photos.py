"""What training reads, made ready before it starts: the table of faces it cuts about, and the packed photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.executors import ONE_THREAD, worker_count
from pipelines.processes import rank
from pipelines.settings import TrainFlowSettings
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
    from models.data import Examples
    from models.packed import PackingPlan

Bars = Callable[[str], AbstractContextManager[ProgressCallback]]
"""Called as `bars(description)`: shows progress while the block runs."""


@contextmanager
def no_bar(_description: str) -> Iterator[ProgressCallback]:
    """Show nothing."""
    yield lambda _done, _total: None


def prepare_photos(
    settings: TrainFlowSettings, *, bars: Bars = no_bar, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Find faces and pack photos as far as the settings ask for it and it isn't done yet.

    Args:
        settings: What to learn from, and how.
        bars: Makes a progress bar of each of the two.
        tell: Called with a line for a person to read: before photos are packed, and of photos that could not be read.

    Raises:
        DatasetsError: There is no manifest, or something can't be written, or the disk is too full.
        ModelsError: The manifest can't be learned from.
    """
    if rank() > 0:
        return  # the first process does it, and training waits for that
    training = settings.training
    workers = worker_count(max(training.workers, 0))
    if training.crop == "face":
        from pipelines.face_boxes import boxes_of_manifest

        with bars("finding faces") as progress, _one_thread_each():
            boxes = boxes_of_manifest(settings.manifest, workers=workers, progress=progress)
        if boxes.unread:
            tell(f"{boxes.unread:,} photos could not be read to find their faces; the next run tries them again")
    if training.cache is None:
        return
    from models.data import with_packed
    from models.packed import plan_packing
    from models.squares import stored_side

    sets = _sets(settings)
    wanted = [photo for each in sets for photo in each.wanted()]
    plan = plan_packing(training.cache, wanted, stored_side(training.image_size))
    if plan.new:
        tell(packing_line(plan))
        with bars("packing photos") as progress, _one_thread_each():
            with_packed(sets, training.cache, training.image_size, workers=workers, progress=progress)


def _sets(settings: TrainFlowSettings) -> list[Examples]:
    """What is trained and scored on, of every fold that is held out in turn."""
    from models.cross_validation import parse_folds
    from models.splits import folds_of, split_manifest

    training = settings.training
    held_out: Sequence[int] = (training.fold,)
    if settings.folds is not None:
        asked = parse_folds(settings.folds)
        held_out = folds_of(settings.manifest, training.seed) if asked is None else asked
    splits = [split_manifest(settings.manifest, replace(training, fold=fold)) for fold in held_out]
    return [each for split in splits for each in (split.train, split.real, split.synthetic)]


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let worker processes that start in this block compute with one thread; training afterwards has them all."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def packing_line(plan: PackingPlan) -> str:
    """Say what packing is going to do and take."""
    return (
        f"packing {plan.new:,} of {plan.photos:,} photos into {plan.folder}: "
        f"{_size(plan.bytes)}, of {_size(plan.free)} free"
    )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"

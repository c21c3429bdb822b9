"""What training reads, made ready before it starts: the table of faces it cuts about, and the packed photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from pipelines.executors import ONE_THREAD, worker_count
from pipelines.processes import rank
from pipelines.settings import TrainFlowSettings
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
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
    from models.packed import plan_packing
    from models.splits import packed_splits, split_manifest
    from models.squares import stored_side

    splits = split_manifest(settings.manifest, training)
    wanted = [photo for each in (splits.train, splits.real, splits.synthetic) for photo in each.wanted()]
    plan = plan_packing(training.cache, wanted, stored_side(training.image_size))
    if plan.new:
        tell(packing_line(plan))
        with bars("packing photos") as progress, _one_thread_each():
            packed_splits(splits, training, workers=workers, progress=progress)


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

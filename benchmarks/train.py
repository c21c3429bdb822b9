"""Does training wait for its photos? Loaders beside the model, and whole epochs beside a plain PyTorch loop.

    .venv/bin/python -m benchmarks.train [PHOTOS] [--photos 256] [--rounds 3] [--model resnet18] [--image-size 112]

Three ways to the same photos: `direct` decodes each in every epoch, as training does without a cache; `packed` reads
them from a packed cache; `plain` is what one writes by hand, torchvision's ImageFolder with a resize, a central crop
and a flip. First how many photos a second each loader gives, beside how many the model alone learns from. Then whole
training: `models.train.train` without and with a cache, and the plain loop with the same model, optimiser and batch. A
rate is that of the second epoch, from its first batch to its last, so that starting and scoring don't count. By the
clock on the wall, round after round with all ways in each, so that a busy hour hits all of them; ratios are taken
within a round. Without PHOTOS: the folder fairface540_ccby4 among the real photographs (`benchmarks/common.py`).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from benchmarks.common import evenly, realdata
from datasets.inspecting import inspect_photos
from datasets.labels import N_LABELS, decode_label
from datasets.manifest import make_manifest, write_manifest
from datasets.photos import PhotoFile, find_photos
from datasets.refusals import Refusal
from models.data import PhotoDataset, make_loader
from models.devices import choose_device, choose_workers, mixed_precision
from models.sampling import BalancedSampler
from models.settings import TrainSettings
from models.splits import packed_splits, split_manifest
from models.train import train
from models.transforms import PhotoTransform

WAYS = ("direct", "packed", "plain")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HELD_OUT = 2
"""Photos that training is scored on: scoring is not what is timed here."""
AGES = {"under_30": 20.0, "30_to_59": 45.0, "60_plus": 70.0}

Rates = dict[str, list[float]]


@dataclass(frozen=True)
class Ground:
    """What all ways share.

    Attributes:
        manifest: of the photos, with labels dealt out in turn: what is learned doesn't matter here.
        classes: the same photos to train on, as ImageFolder wants them.
        scratch: folder for what runs write.
        settings: of training, without a cache.
        device: that trains.
        workers: processes that read.
    """

    manifest: Path
    classes: Path
    scratch: Path
    settings: TrainSettings
    device: torch.device
    workers: int

    @property
    def cached(self) -> TrainSettings:
        """The settings with a cache."""
        return TrainSettings(**{**vars(self.settings), "cache": self.scratch / "cache"})


def lay_out(paths: Sequence[Path], folder: Path) -> tuple[Path, Path]:
    """Writes a manifest of the photos and links those to train on into class folders; both paths."""
    files, rows = [PhotoFile(path, path.name) for path in paths], []
    (folder / "photos").mkdir(parents=True)
    for at, (path, seen) in enumerate(zip(paths, inspect_photos(files), strict=True)):
        if isinstance(seen, Refusal):
            continue
        mask, gender, group = decode_label(at % N_LABELS)
        name = f"{at:05d}{path.suffix.lower()}"
        (folder / "photos" / name).symlink_to(path)
        fold = int(len(rows) >= HELD_OUT)
        if fold:
            linked = folder / "classes" / f"{at % N_LABELS:02d}" / name
            linked.parent.mkdir(parents=True, exist_ok=True)
            linked.symlink_to(path)
        labels = {"mask": mask, "gender": gender, "age": AGES[group], "age_group": group}
        place = {"photo_id": f"folder:{name}", "path": f"photos/{name}", "person_id": f"folder:{at}"}
        origin = {"source": "folder", "licence": "CC-BY-4.0", "fold": fold}
        rows.append({**place, **origin, **labels, **vars(seen)})
    return write_manifest(make_manifest(rows), folder), folder / "classes"


def photos_to_train_on(classes: Path) -> int:
    """How many photos an epoch has: those that could be read and aren't held out."""
    return sum(1 for each in classes.rglob("*") if each.is_file())


def plain_loader(ground: Ground) -> DataLoader[Any]:
    """What one writes by hand."""
    size = ground.settings.image_size
    steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.RandomHorizontalFlip()]
    photos = ImageFolder(
        str(ground.classes), transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    )
    return DataLoader(
        photos,
        batch_size=ground.settings.batch_size,
        shuffle=True,
        num_workers=ground.workers,
        drop_last=True,
        persistent_workers=ground.workers > 0,
    )


def our_loader(ground: Ground, settings: TrainSettings) -> DataLoader[Any]:
    """The loader that training uses."""
    examples = packed_splits(split_manifest(ground.manifest, settings), settings).train
    transform = PhotoTransform(settings.image_size, MEAN, STD, settings.augment)
    dataset = PhotoDataset(examples, transform, settings.image_size, "train")
    sampler = BalancedSampler(examples.codes, settings.balance, settings.seed)
    return make_loader(dataset, sampler, settings.batch_size, ground.workers, drop_last=True)


def photos_a_second(batches: Iterable[Any], batch_size: int) -> float:
    """Of a pass over batches, after its first."""
    count, since = 0, 0.0
    for count, _ in enumerate(batches, start=1):
        if count == 1:
            since = time.perf_counter()
    return (count - 1) * batch_size / max(time.perf_counter() - since, 1e-9)


def learner(ground: Ground) -> Callable[[torch.Tensor, torch.Tensor], None]:
    """A step of the plain loop: forward, loss, backward, AdamW."""
    network = timm.create_model(ground.settings.model, num_classes=N_LABELS).to(ground.device).train()
    optimiser = torch.optim.AdamW(network.parameters(), ground.settings.learning_rate)
    loss = nn.CrossEntropyLoss()

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        with mixed_precision(ground.device):
            lost = loss(network(images.to(ground.device)), labels.to(ground.device))
        optimiser.zero_grad(set_to_none=True)
        lost.backward()
        optimiser.step()
        lost.item()  # as a loop that reports its loss: waits for the device

    return step


def model_rate(ground: Ground, steps: int = 6) -> float:
    """Photos a second that the model learns from when they are there already."""
    step, settings = learner(ground), ground.settings
    images = torch.randn(settings.batch_size, 3, settings.image_size, settings.image_size)
    labels = torch.arange(settings.batch_size) % N_LABELS

    def steps_done() -> Iterator[None]:
        for _ in range(steps):
            step(images, labels)
            yield

    return photos_a_second(steps_done(), settings.batch_size)


def plain_epoch(ground: Ground) -> float:
    """Photos a second of the plain loop's second epoch."""
    loader, step = plain_loader(ground), learner(ground)

    def learned() -> Iterator[None]:
        for images, labels in loader:
            step(images, labels)
            yield

    for _ in learned():
        pass
    return photos_a_second(learned(), ground.settings.batch_size)


def our_epoch(ground: Ground, settings: TrainSettings) -> float:
    """Photos a second of the second epoch of `models.train.train`."""
    marks: list[tuple[int, float]] = []

    def progress(done: int, _: int) -> None:
        marks.append((done, time.perf_counter()))

    with tempfile.TemporaryDirectory(dir=ground.scratch) as out:
        train(ground.manifest, Path(out), settings, progress)
    return second_epoch(marks, settings.batch_size)


def second_epoch(marks: Sequence[tuple[int, float]], batch_size: int) -> float:
    """The rate of the second of two epochs, from the end of its first batch to that of its last whole one.

    Args:
        marks: (photos drawn so far, time in seconds) after every batch, and once more at the end of an epoch.
        batch_size: photos in a whole batch.
    """
    half = marks[-1][0] // 2
    batches = [mark for mark in marks if mark[0] > half and (mark[0] - half) % batch_size == 0]
    (first, since), (last, until) = batches[0], batches[-1]
    return (last - first) / max(until - since, 1e-9)


def rounds(ways: dict[str, Callable[[], float]], count: int) -> Rates:
    """Every way in each round, beginning with another one each time."""
    rates: Rates = defaultdict(list)
    names = list(ways)
    for at in range(count):
        for name in names[at % len(names) :] + names[: at % len(names)]:
            rates[name].append(ways[name]())
    return rates


def measure(ground: Ground, count: int) -> tuple[Rates, Rates]:
    """Rates of the loaders and the model, and of whole epochs."""
    batch = ground.settings.batch_size
    made = {
        "direct": our_loader(ground, ground.settings),
        "packed": our_loader(ground, ground.cached),
        "plain": plain_loader(ground),
    }
    loaders: dict[str, Callable[[], float]] = {
        name: partial(lambda loader: photos_a_second(loader, batch), loader) for name, loader in made.items()
    }
    read = rounds({**loaders, "model": partial(model_rate, ground)}, count)
    made.clear()
    loaders.clear()  # their workers would stand in the epochs' way
    epochs = rounds(
        {
            "direct": partial(our_epoch, ground, ground.settings),
            "packed": partial(our_epoch, ground, ground.cached),
            "plain": partial(plain_epoch, ground),
        },
        count,
    )
    return read, epochs


def table_of(title: str, rates: Rates, beside: str, photos: int | None = None) -> Table:
    """Medians and spread of each way, and its ratios to one of them within each round.

    Args:
        title: of the table.
        rates: photos a second by way, one a round.
        beside: the way that the others are compared to.
        photos: of an epoch, to tell its seconds.
    """
    table = Table(title=title, title_justify="left")
    seconds = ("s an epoch",) if photos is not None else ()
    for name in ("way", "photos/s", "least to most", *seconds, f"times {beside}", "ratio's least to most"):
        table.add_column(name, justify="left" if name == "way" else "right")
    for name, each in rates.items():
        rate = statistics.median(each)
        ratios = [ours / theirs for ours, theirs in zip(each, rates[beside], strict=True)]
        took = (f"{photos / rate:.1f}",) if photos is not None else ()
        table.add_row(
            name,
            f"{rate:.1f}",
            f"{min(each):.1f} to {max(each):.1f}",
            *took,
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
        )
    return table


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train", description="How fast is training fed?")
    parser.add_argument("folder", type=Path, nargs="?", metavar="PHOTOS", help="folder; some of fairface540 by default")
    parser.add_argument("--photos", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="resnet18", help="a timm model")
    parser.add_argument("--image-size", type=int, default=112, help="side of the square it sees, pixels")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--augment", default="light")
    parser.add_argument("--workers", type=int, default=-1, help="processes that read; -1 as training chooses")
    return parser.parse_args()


def main() -> int:
    """Runs the benchmark; 2 where there are too few photos to run it on."""
    given, console = _arguments(), Console(width=120)
    folder = given.folder or realdata("fairface540_ccby4")
    if not folder.is_dir():
        print(f"no folder {folder}: name one of photos", file=sys.stderr)
        return 2
    paths = [photo.path.resolve() for photo in evenly_found(folder, given.photos)]
    if len(paths) < HELD_OUT + 3 * given.batch_size:
        print(f"{len(paths)} photos in {folder}: at least three batches and {HELD_OUT} are needed", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        manifest, classes = lay_out(paths, Path(scratch) / "data")
        count = photos_to_train_on(classes)
        if count < 3 * given.batch_size:
            print(f"{count} photos to train on can be read: at least three batches are needed", file=sys.stderr)
            return 2
        settings = TrainSettings(
            model=given.model,
            image_size=given.image_size,
            batch_size=given.batch_size,
            augment=given.augment,
            workers=given.workers,
            epochs=2,
            resume=False,
        )
        device = choose_device("auto")
        workers = choose_workers(settings.workers, device)
        ground = Ground(manifest, classes, Path(scratch), settings, device, workers)
        where = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
        print(f"{len(paths)} photos, {given.model} at {given.image_size} pixels, {where}, {workers} workers that read")
        if device.type != "cuda":
            print("figures of a GPU are missing: torch sees none here")
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
        print(f"load before the runs: {load:.1f} (0 is a machine with nothing else to do; more spoils what follows)")
        read, epochs = measure(ground, given.rounds)
    told = f"median of {given.rounds} rounds"
    console.print(table_of(f"loaders, and the model alone; {told}", read, "model"))
    console.print(table_of(f"whole training, second epoch; {told}", epochs, "plain", count))
    return 0


def evenly_found(folder: Path, count: int) -> list[PhotoFile]:
    """At most `count` photos of a folder, spread over all of it."""
    found = {photo.path: photo for photo in find_photos(folder)[0]}
    return [found[path] for path in evenly(list(found), count)]


if __name__ == "__main__":
    sys.exit(main())

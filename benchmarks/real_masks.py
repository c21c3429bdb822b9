"""How well a small network, trained on our variants alone, knows masks that people really wear.

    .venv/bin/python -m benchmarks.real_masks [--seeds 2] [--share 1] [--ablation]

It learns from scratch on variants of the FairFace and All-Age-Faces samples and is tested on `mask_states_dev`: crops
of real masks, from which nothing is learned and by which no epoch is chosen. One fixed recipe (`benchmarks.small_cnn`),
so that what differs between two rows is the engine. With --ablation also without its light, its geometry, its looks,
its spread of wear and its tilted heads; a share of the photos and batches, as by --share 0.2, shows those differences
in a share of the time, though the targets are for all of them. With --keep, trainings that are finished there are not
done again as long as neither photos nor code have changed. The photographs lie below PALETTE_REALDATA (default
../shared/realdata).
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import confusion_matrix, f1_score, recall_score

from benchmarks.masked_crops import PARTS, SIDE, STATES, CropTask, landmarks_of, make_crops
from benchmarks.small_cnn import Recipe, network, probabilities, train
from datasets.atomic import atomic_write
from datasets.photos import read_photo
from datasets.workers import map_files, stream_files
from pipelines.executors import ONE_THREAD
from pipelines.progress import progress_bar
from pipelines.reuse import code_digest, file_digest, key_of

REPOSITORY = Path(__file__).resolve().parents[1]
REAL = "real.npz"
Landmarks = dict[Path, NDArray[np.float64]]
"""Of the photos that pass the gate, (68, 2) each."""

MACRO_F1, INCORRECT_RECALL = 0.85, 0.75
"""The targets; a classifier that learned from real photographs of the same source got 0.86 and 0.70."""


@dataclass(frozen=True)
class Crops:
    """(N, SIDE, SIDE, 3) uint8 crops, and their mask states as (N,) indices of STATES."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Result:
    """A row of the table: what the training set was without, its size, and the predicted states by seed."""

    name: str
    crops: int
    predicted: list[NDArray[np.int64]]


def real_masks(realdata: Path) -> Crops:
    """The crops of really worn masks, squeezed to squares as the training crops are."""
    with (realdata / "mask_states_dev.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = [
        cv2.resize(read_photo(realdata / row["file"]).rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for row in rows
    ]
    return Crops(np.stack(images), np.array([STATES.index(row["mask"]) for row in rows]))


def photos(realdata: Path, share: float) -> list[Path]:
    """So many of the photos of the samples of FairFace and All-Age-Faces, evenly, to make variants of."""
    folders = ("fairface_train_ccby4", "fairface540_ccby4/fairface", "All-Age-Faces Dataset/original images")
    found = [path for folder in folders for path in sorted((realdata / folder).glob("*.jpg"))]
    order = np.random.default_rng(0).permutation(len(found))[: math.ceil(share * len(found))]
    return [found[int(index)] for index in sorted(order)]


def training_crops(landmarks: Landmarks, without: str, workers: int) -> Crops:
    """Variants of these photos by the engine without one of its parts."""
    tasks = [CropTask(path, points, without, 0) for path, points in landmarks.items()]
    with progress_bar(f"variants without {without}" if without else "variants") as progress:
        made = map_files(make_crops, tasks, workers=workers, crashed=lambda _: [], progress=progress)
    crops = [crop for each in made for crop in each]
    return Crops(np.stack([crop[0] for crop in crops]), np.array([crop[1] for crop in crops]))


@dataclass(frozen=True)
class Training:
    """One training: its name, its recipe and seed, the key of all that it comes from, and the folder with its crops and
    the real ones."""

    name: str
    recipe: Recipe
    seed: int
    key: str
    keep: Path

    @property
    def told(self) -> Path:
        """Where its answers are kept."""
        return self.keep / f"{self.name} {self.seed}.npz"

    def answers(self) -> tuple[NDArray[np.float32], int] | None:
        """The real crops' (N, 3) probabilities and the number of crops learned from, where they are kept already."""
        if not self.told.is_file():
            return None
        with np.load(self.told) as held:
            return (held["probabilities"], int(held["crops"])) if str(held["key"]) == self.key else None


def learn(task: Training) -> Path:
    """Trains once on one core; what it says of the real crops is kept where the path says."""
    torch.set_num_threads(1)
    crops, real, recipe = np.load(task.keep / f"{task.name}.npz"), np.load(task.keep / REAL), task.recipe
    with progress_bar(f"{task.name}, seed {task.seed}", "batches") as progress:
        net = train(crops["images"], crops["labels"], recipe, task.seed, progress)
    chances = probabilities(net, real["images"], recipe)
    with atomic_write(task.told) as part, part.open("wb") as file:
        np.savez(file, probabilities=chances, labels=real["labels"], crops=len(crops["labels"]), key=task.key)
    return task.told


def measure(tasks: Sequence[Training], landmarks: Callable[[], Landmarks], without: str, workers: int) -> Result:
    """Trains once a seed, each on a core of its own, and predicts the real masks; what is finished isn't done again."""
    missing = [task for task in tasks if task.answers() is None]
    if missing:
        training, first = training_crops(landmarks(), without, workers), missing[0]
        np.savez(first.keep / f"{first.name}.npz", images=training.images, labels=training.labels)
        list(stream_files(learn, missing, workers=workers, crashed=_died, batch=1))
    told = [answers for task in tasks if (answers := task.answers()) is not None]
    return Result(tasks[0].name, told[0][1], [chances.argmax(1) for chances, _ in told])


def _died(task: Training) -> Path:
    raise SystemExit(f"the training {task.name}, seed {task.seed}, was ended, perhaps for want of memory")


def results_table(results: Sequence[Result], labels: NDArray[np.int64]) -> Table:
    """Macro F1 and recalls, the mean over the seeds and each seed's own."""
    table = Table(title=f"tested on {len(labels)} real masks", title_justify="left")
    for column in ("trained on", "crops", "macro F1", "by seed", *(f"recall {state}" for state in STATES)):
        table.add_column(column, justify="left" if column == "trained on" else "right")
    for result in results:
        scores = [f1_score(labels, predicted, average="macro") for predicted in result.predicted]
        recalls = np.mean([recall_score(labels, predicted, average=None) for predicted in result.predicted], axis=0)
        table.add_row(
            result.name,
            str(result.crops),
            f"{np.mean(scores):.3f}",
            " ".join(f"{score:.3f}" for score in scores),
            *(f"{recall:.2f}" for recall in recalls),
        )
    return table


def confusion_table(result: Result, labels: NDArray[np.int64]) -> Table:
    """Real states down, predicted ones across, summed over the seeds."""
    counts = sum(confusion_matrix(labels, predicted) for predicted in result.predicted)
    table = Table(title=f"{result.name}: all seeds together", title_justify="left")
    for column in ("is / said to be", *STATES):
        table.add_column(column, justify="right")
    for state, row in zip(STATES, np.asarray(counts), strict=True):
        table.add_row(state, *(str(count) for count in row))
    return table


def main() -> int:
    """Runs the benchmark; 2 where there are no photos to run it on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=_share, default=1.0, help="of the photos and of the batches, above 0 up to 1")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each row")
    parser.add_argument("--ablation", action="store_true", help="also with each part of the engine left out")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="folder for crops and predictions [default: a temporary one]")
    given = parser.parse_args()
    os.environ.update(ONE_THREAD)  # for the workers: each has a core of its own
    realdata = Path(os.environ.get("PALETTE_REALDATA", REPOSITORY.parent / "shared" / "realdata"))
    if not (realdata / "mask_states_dev.csv").is_file():
        print(f"no real masks at {realdata}: set PALETTE_REALDATA to the folder of real photographs", file=sys.stderr)
        return 2
    keep = given.keep or Path(tempfile.mkdtemp(prefix="real-masks-"))
    keep.mkdir(parents=True, exist_ok=True)
    test, console = real_masks(realdata), Console()
    np.savez(keep / REAL, images=test.images, labels=test.labels)
    recipe = Recipe().shorter(given.share)
    weights = sum(weight.numel() for weight in network(recipe, len(STATES)).parameters())
    console.print(f"{weights:,} weights, {recipe.side} pixels, {recipe.batches} batches of {recipe.batch}")
    files = photos(realdata, given.share)
    code = code_digest("synth", "datasets.photos", "benchmarks.masked_crops", "benchmarks.small_cnn")
    seen = file_digest(keep / REAL)

    @cache
    def landmarks() -> Landmarks:
        with progress_bar("finding faces") as progress:
            return landmarks_of(files, given.workers, progress)

    results = []
    for without in ("", *(PARTS if given.ablation else ())):
        name = f"without {without}" if without else "our variants"
        name += f", a share of {given.share:g}" if given.share < 1 else ""
        from_all = {"code": code, "photos": files, "tested": seen, "name": name, "recipe": repr(recipe)}
        keys = [key_of(**from_all, seed=seed) for seed in range(given.seeds)]
        tasks = [Training(name, recipe, seed, key, keep) for seed, key in enumerate(keys)]
        results.append(measure(tasks, landmarks, without, given.workers))
        console.print(results_table(results[-1:], test.labels))
    console.print(results_table(results, test.labels), confusion_table(results[0], test.labels))
    console.print(f"crops and predictions: {keep}")
    return 0 if _reached(results[0], test.labels, console) else 1


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share above 0 and up to 1, got {text}")
    return share


def _reached(result: Result, labels: NDArray[np.int64], console: Console) -> bool:
    """Says of each target whether it was met, by the mean over the seeds."""
    score = float(np.mean([f1_score(labels, predicted, average="macro") for predicted in result.predicted]))
    incorrect = float(np.mean([recall_score(labels, each, average=None)[1] for each in result.predicted]))
    met = [score >= MACRO_F1, incorrect >= INCORRECT_RECALL]
    for name, got, least, good in zip(
        ("macro F1", "recall incorrect"), (score, incorrect), (MACRO_F1, INCORRECT_RECALL), met, strict=True
    ):
        console.print(f"{name} {got:.3f}, target {least}: {'met' if good else 'MISSED'}")
    return all(met)


if __name__ == "__main__":
    sys.exit(main())

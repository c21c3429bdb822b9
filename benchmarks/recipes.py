"""What each recipe of training brings on real faces, and what synthetic variants bring.

    .venv/bin/python -m benchmarks.recipes [--people 1300] [--epochs 8] [--draws 3000] [--seeds 2] [--only NAME ...]

The FairFace and All-Age-Faces samples are ingested, each face gets three variants of our own (a mask worn right, one
wrong, and none), all are merged into folds by person, and of the people that are learned from every sixth of 60
and more is kept, as rare as such a competition has them. A small network learns from scratch, by the plain recipe of
one answer of 18 classes and by others in turn, everyone from the same number of draws, and its last epoch answers the
people of the fold held out, photos and variants together: no choice is made on them. A second table is of the plain
recipe with no variant in training, one a photo, and all. The mask states are tried on really worn masks, too
(`mask_states_dev`), from which nothing is learned. Runs that are finished in --keep are not done again.
The photographs lie below PALETTE_REALDATA (default ../shared/realdata).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rich.console import Console
from rich.table import Table
from sklearn.metrics import f1_score

from benchmarks.common import evenly, outside_repository, realdata
from datasets.labels import MASK_STATES, N_LABELS, label_name
from datasets.manifest import read_manifest, write_manifest
from datasets.photos import find_photos
from datasets.readers import ingest, save_ingest
from datasets.workers import stream_files
from models.checkpoint import load_checkpoint
from models.data import Examples
from models.devices import choose_device
from models.heads import HEADS
from models.inference import Reading, answer
from models.recipes import made_of
from models.scoring import Scores, score
from models.settings import TrainSettings
from models.splits import packed_splits, split_manifest
from models.train import train
from pipelines.masking import MaskOptions
from pipelines.progress import progress_bar
from pipelines.stages import mask_stage, merge_stage

TAUGHT, AGED, REAL = "fairface_train_ccby4", "All-Age-Faces Dataset", "mask_states_dev"
SIDE, FRAME = 48, (96, 128)
"""Pixels: of the square a network sees, and width and height of a variant's file."""

HELD_OUT, RARE = 0, 6
PLAN = """
[[variants]]
wear = "correct"
[[variants]]
wear = {nose_out = 3, chin = 2}
[[variants]]
wear = "not_wear"
"""
BASE = {
    "model": "test_resnet",  # timm's smallest with residual blocks: 0.4 M weights
    "image_size": SIDE,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "augment": "light",
    "keep": "last",
    "fold": HELD_OUT,
    "device": "cpu",
    "workers": 0,
}
PLAIN = ("plain",)
RECIPES = (
    PLAIN,
    ("plain", "smooth"),
    ("plain", "balanced"),
    ("plain", "weighted"),
    ("plain", "focal"),
    ("plain", "class-balanced"),
    ("plain", "ldam"),
    ("plain", "logit-adjusted"),
    ("plain", "f1"),
    ("plain", "three-heads"),
    ("plain", "three-heads", "age-both"),
    ("plain", "three-heads", "age-ordinal"),
    ("plain", "three-heads", "logit-adjusted"),
    ("plain", "mixup"),
    ("plain", "cutmix"),
    ("plain", "ema"),
    ("plain", "no-augmentation"),
    ("plain", "faces-augmented"),
    ("plain", "growing"),
)
SHARES = (0, 1, 3)
"""Variants a photo in training, of the three that there are."""


@dataclass(frozen=True)
class Task:
    """One training.

    Attributes:
        manifest: what it learns from.
        out: the run's folder.
        settings: of the run.
        real: crops of really worn masks and their states.
    """

    manifest: Path
    out: Path
    settings: TrainSettings
    real: tuple[tuple[Path, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Told:
    """What a training gave: scores of the people held out, macro F1 of really worn masks, seconds of processor time."""

    scores: Scores
    worn: float
    seconds: float


def built(home: Path, people: int, workers: int) -> Path:
    """Makes the merged manifest of faces and variants, once; its folder."""
    merged = home / "merged"
    if (merged / "done").is_file():
        return merged
    home.mkdir(parents=True, exist_ok=True)
    plan = home / "plan.toml"
    plan.write_text(PLAN, encoding="utf-8")
    sources = {
        "fairface": (
            "folder",
            _fairface(home / "fairface", people),
            {"mask": "not_wear", "name": "fairface", "licence": "CC-BY-4.0"},
        ),
        "aged": ("all-age-faces", realdata(AGED), {}),
    }
    inputs = []
    for name, (reader, root, options) in sources.items():
        taken = save_ingest(ingest(reader, root, options=options), home / "ingested" / name).parent
        options_of = MaskOptions(plan=str(plan), size=FRAME, workers=workers)
        with progress_bar(f"variants of {name}") as progress:
            inputs += [taken, mask_stage(taken, home / "masked" / name, options_of, progress=progress).manifest.parent]
    merge_stage(inputs, merged, rules="research", folds=5)
    write_manifest(thinned(read_manifest(merged)), merged)
    (merged / "done").touch()
    return merged


def thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows without most people of 60 and more who are learned from: every sixth of them stays."""
    old = frame["age_group"].eq("60_plus") & frame["fold"].ne(HELD_OUT)
    people = sorted(frame.loc[old, "person_id"].unique())
    return frame[~(old & ~frame["person_id"].isin(people[::RARE]))].reset_index(drop=True)


def _fairface(home: Path, people: int) -> Path:
    """A folder of the FairFace sample's photos with the table of their genders and age groups."""
    groups = {"lt30": "under_30", "30to59": "30_to_59", "ge60": "60_plus"}
    with (realdata(TAUGHT).parent / "fairface_train_sample.csv").open(encoding="utf-8") as file:
        rows = {Path(row["file"]).name: row for row in csv.DictReader(file)}
    home.mkdir(parents=True, exist_ok=True)
    lines = ["file_name,gender,age_group"]
    for path in evenly([photo.path for photo in find_photos(realdata(TAUGHT))[0]], people):
        _place(path, home / path.name)
        lines.append(f"{path.name},{rows[path.name]['gender'].lower()},{groups[rows[path.name]['age_group']]}")
    (home / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return home


def _place(photo: Path, target: Path) -> None:
    """A second name for a photo where the disk allows it, else a copy; a symbolic link would lead out of the folder."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(photo)
    except OSError:
        shutil.copyfile(photo, target)


def with_variants(merged: Path, most: int, out: Path) -> Path:
    """A copy of the manifest with at most so many variants a photo in its training folds."""
    frame = read_manifest(merged)
    number = frame.groupby("parent_id").cumcount().where(frame["parent_id"].notna(), -1)
    # Turned by the photo, so that one variant a photo is not always the first of the plan.
    turn = pd.util.hash_array(frame["parent_id"].fillna("").to_numpy(dtype=object)) % 3
    kept = frame["fold"].eq(HELD_OUT) | (number < 0) | ((number + turn) % 3 < most)
    for path in frame.loc[kept, "path"]:
        _place(merged / path, out / path)
    write_manifest(frame[kept].reset_index(drop=True), out)
    return out


def learn(task: Task) -> Told:
    """Trains once on one core, unless that is done, and answers who was held out."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    kept = task.out / "seconds.json"
    if not kept.is_file():
        begun = os.times()
        train(task.manifest, task.out, task.settings)
        kept.write_text(json.dumps(os.times().user - begun.user), encoding="utf-8")
    network, config = load_checkpoint(task.out / "model.safetensors")
    device = choose_device("cpu")
    reading = Reading(config.image_size, config.mean, config.std, 256, 0)
    splits = packed_splits(split_manifest(task.manifest, task.settings), task.settings)
    sets = [each for each in (splits.real, splits.synthetic) if len(each)]
    said = [answer(network, each, reading, config.layout, device, stage="score") for each in sets]
    truth = np.concatenate([each.codes[one.index] for each, one in zip(sets, said, strict=True)])
    scores = score(truth, np.concatenate([one.chances.codes() for one in said]))
    files, states = task.real
    worn = answer(network, Examples.unlabelled(files, [each.name for each in files]), reading, config.layout, device,
                  stage="score")  # fmt: skip
    given = worn.chances.codes()[:, 0]
    right = np.array(states)[worn.index]
    return Told(scores, float(f1_score(right, given, average="macro")), float(json.loads(kept.read_text())))


def _died(task: Task) -> Told:
    raise SystemExit(f"the training in {task.out} was ended, perhaps for want of memory")


def real_masks() -> tuple[tuple[Path, ...], tuple[int, ...]]:
    """Crops of really worn masks, and their states as positions in MASK_STATES."""
    root = realdata(REAL).parent
    with (root / "mask_states_dev.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return tuple(root / row["file"] for row in rows), tuple(MASK_STATES.index(row["mask"]) for row in rows)


def recipe_table(told: dict[tuple[str, ...], list[Told]]) -> Table:
    """A row a recipe: macro F1 of classes and heads, mean over the seeds and each seed's, and the gain over plain."""
    table = Table("recipe", title="Macro F1 on people held out, mean over seeds (each seed)")
    for name in ("18 classes", "less plain", *HEADS, "worn masks", "processor"):
        table.add_column(name, justify="right", no_wrap=True)
    plain = np.mean([each.scores.macro_f1 for each in told[PLAIN]]) if PLAIN in told else float("nan")
    for recipes, runs in told.items():
        whole = [each.scores.macro_f1 for each in runs]
        heads = [_mean(each.scores.heads[name].macro_f1 for each in runs) for name in HEADS]
        row = (_mean(whole), f"{np.mean(whole) - plain:+.3f}", *heads, _mean(each.worn for each in runs))
        table.add_row(" + ".join(recipes), *row, f"{np.mean([each.seconds for each in runs]):.0f} s")
    return table


def shares_table(told: dict[int, list[Told]]) -> Table:
    """A row a class: F1 by how many variants a photo there were in training, mean over the seeds."""
    table = Table("class", "held out", title="F1 of each class, by variants a photo in training")
    for share in told:
        table.add_column(f"{share}", justify="right")
    first = next(iter(told.values()))[0].scores.label
    counts = first.confusion.sum(axis=1)
    for label in range(N_LABELS):
        values = [f"{np.mean([each.scores.label.f1[label] for each in runs]):.2f}" for runs in told.values()]
        table.add_row(label_name(label), f"{counts[label]}", *values)
    table.add_section()
    table.add_row("macro F1", "", *[_mean(each.scores.macro_f1 for each in runs) for runs in told.values()])
    for name in HEADS:
        table.add_row(name, "", *[_mean(each.scores.heads[name].macro_f1 for each in runs) for runs in told.values()])
    table.add_row("really worn masks", "", *[_mean(each.worn for each in runs) for runs in told.values()])
    return table


def _mean(values: Iterable[float]) -> str:
    each = list(values)
    seeds = ", ".join(f"{value:.3f}" for value in each)
    return f"{np.mean(each):.3f} ({seeds})"


def settings_of(recipes: Sequence[str], args: argparse.Namespace, cache: Path, seed: int) -> TrainSettings:
    """The settings of a row."""
    given = {**BASE, "epochs": args.epochs, "epoch_rows": args.draws, "cache": cache, "seed": seed}
    # What a recipe is about stands; the common settings are below it.
    made = made_of(recipes)
    named = {name for each in recipes for name in _named(each)}
    return replace(made, **{name: value for name, value in given.items() if name not in named})


def _named(recipe: str) -> set[str]:
    from models.recipes import RECIPES

    return set(RECIPES[recipe].settings)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the benchmark; 0 when all rows are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1300, help="of the FairFace sample")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--draws", type=int, default=3000, help="rows an epoch, the same for every row of the table")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", action="append", help="rows by the last of their recipes, such as focal")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder for manifests and runs, outside the repository")
    args = parser.parse_args(argv)
    console = Console(width=None if sys.stdout.isatty() else 170)
    with tempfile.TemporaryDirectory() as scratch:
        home = outside_repository(args.keep or Path(scratch)) / f"{args.people} people"
        _run(args, home, console)
    return 0


def _run(args: argparse.Namespace, home: Path, console: Console) -> None:
    merged, real = built(home, args.people, args.workers), real_masks()
    rows = [each for each in RECIPES if not args.only or each[-1] in args.only]
    size = f"{args.epochs}x{args.draws}"
    tasks: dict[tuple[Any, int], Task] = {}
    for recipes in rows:
        for seed in range(args.seeds):
            out = home / "runs" / size / "-".join(recipes) / str(seed)
            tasks[recipes, seed] = Task(merged, out, settings_of(recipes, args, home / "packed", seed), real)
    if not args.only:
        for share in SHARES[:-1]:
            manifest = with_variants(merged, share, home / f"variants{share}")
            for seed in range(args.seeds):
                out = home / "runs" / size / f"variants{share}" / str(seed)
                tasks[share, seed] = Task(manifest, out, settings_of(PLAIN, args, home / "packed", seed), real)
    told: dict[Any, list[Told]] = {}
    with progress_bar("trainings", "runs") as progress:
        found: list[Told] = []
        for batch in stream_files(learn, list(tasks.values()), workers=args.workers, crashed=_died, batch=1):
            found += batch
            progress(len(found), len(tasks))
    for (row, _), each in zip(tasks, found, strict=True):
        told.setdefault(row, []).append(each)
    held_out = split_manifest(merged, next(iter(tasks.values())).settings).notes
    console.print(f"{held_out['people']} people, {held_out['rows']} rows; {size} draws of {SIDE} pixels")
    console.print(recipe_table({row: runs for row, runs in told.items() if isinstance(row, tuple)}))
    if not args.only:
        shares = {share: told[share] for share in SHARES[:-1]} | {SHARES[-1]: told[PLAIN]}
        console.print(shares_table(shares))


if __name__ == "__main__":
    sys.exit(main())

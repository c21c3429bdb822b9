"""Can one trust a merge of real photographs? Leaks, copies, licences and bytes, against what was planted.

    .venv/bin/python -m benchmarks.real_merge [--people 60] [--photos N] [--copies 50] [--workers N] [--keep FOLDER]

Four sources are ingested: a competition-like folder (people of the FairFace sample, each bare, five times with a mask
worn right and once wrong by our engine), the All-Age-Faces sample, the wide FairFace sample, and a folder of copies of
photos of all three, re-encoded, cropped, mirrored or both, every fifth with the other gender in its table. An
evaluation set holds re-encoded photos of ten people of the competition-like folder and ten files of All-Age-Faces as
they are. Then `palette duplicates` and `palette merge` are run as their commands run them, and what comes out is
compared with what was planted, from the tables on disk. Exit 1 where a demand is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.common import evenly, outside_repository, realdata
from benchmarks.duplicates import LEAST_FOUND, MOST_FALSE, plant
from datasets.disputes import DISPUTED
from datasets.labels import AGE_GROUPS
from datasets.manifest import read_manifest, read_refusals
from datasets.merge import MergeOptions
from datasets.photos import find_photos, read_photo
from datasets.readers import ingest, save_ingest
from pipelines.duplicates import DuplicatesOptions, duplicates_stage
from pipelines.stages import merge_stage
from synth import MaskEngine
from synth.errors import PhotoRefusedError

TRAIN, WIDE = "fairface_train_ccby4", "fairface540_ccby4/fairface"
AGED = "All-Age-Faces Dataset"
EVALUATED = 10
"""People of each of two sources who are in the evaluation set."""
WORN = (*(f"mask{number}" for number in range(1, 6)), "incorrect_mask")

BARRED = {"competition": {"all-age-faces"}, "research": set[str](), "publishing": {"all-age-faces", "competition"}}
"""Of each rule, the sources it must leave out: no licence is stated, or the photos may not be handed on."""


@dataclass(frozen=True)
class Planted:
    """What is known of the sources beforehand.

    Attributes:
        folders: Manifest of each source, by name; `evaluation` among them.
        copies: Of each planted copy's photo id, the photo id of its original.
        contradicted: Those of them whose table tells another gender than the original has.
        evaluated: Person ids that must not be in a merge.
    """

    folders: dict[str, Path]
    copies: dict[str, str]
    contradicted: frozenset[str]
    evaluated: frozenset[str]


def competition_like(home: Path, count: int) -> Path:
    """Writes people in the competition's layout; whose photo no mask can be drawn on is left out."""
    with (realdata(TRAIN).parent / "fairface_train_sample.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [rows[index] for index in np.random.default_rng(0).permutation(len(rows)).tolist()]
    engine, lines = MaskEngine(), ["id,gender,race,age,path"]
    for row in rows:
        if len(lines) > count:
            break
        age = {"lt30": 25, "30to59": 45, "ge60": 60}[row["age_group"]]
        key = f"{len(lines):06d}_{row['gender'].lower()}_Asian_{age}"
        folder, source = home / "train" / "images" / key, realdata(TRAIN).parent / row["file"]
        try:
            ready = engine.prepare(read_photo(source).rgb)
            worn = [engine.mask(ready, wear="correct", seed=seed) for seed in range(5)]
            worn.append(engine.mask(ready, wear="nose_out", seed=5))
        except PhotoRefusedError:
            continue
        folder.mkdir(parents=True)
        shutil.copyfile(source, folder / "normal.jpg")
        for name, masked in zip(WORN, worn, strict=True):
            Image.fromarray(masked.rgb).save(folder / f"{name}.jpg", quality=90)
        lines.append(f"{len(lines):06d},{row['gender'].lower()},Asian,{age},{key}")
    (home / "train" / "train.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return home


def wide(home: Path, photos: int) -> Path:
    """Writes a folder of the wide FairFace photos with the table of their genders and age groups."""
    known = {row["filename"]: row for row in json.loads((realdata(WIDE) / "ground_truth.json").read_text("utf-8"))}
    lines = ["file_name,gender,age_group"]
    home.mkdir(parents=True)
    for path in evenly([photo.path for photo in find_photos(realdata(WIDE))[0]], photos):
        shutil.copyfile(path, home / path.name)
        oldest = known[path.name]["age"].partition("-")[0]
        first = int(oldest.rstrip("+"))
        group = AGE_GROUPS[0] if first < 30 else AGE_GROUPS[1] if first < 60 else AGE_GROUPS[2]
        lines.append(f"{path.name},{known[path.name]['gender'].lower()},{group}")
    (home / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return home


def _ingested(source: str, root: Path, out: Path, **options: object) -> Path:
    return save_ingest(ingest(source, root, options=options), out).parent


def _photos(folders: Sequence[Path]) -> pd.DataFrame:
    """Rows of manifests with the file of each."""
    frames = [read_manifest(folder) for folder in folders]
    files = [[str(folder / path) for path in frame["path"]] for folder, frame in zip(folders, frames, strict=True)]
    return pd.concat([frame.assign(file=each) for frame, each in zip(frames, files, strict=True)], ignore_index=True)


def planted(scratch: Path, people: int, photos: int, copies: int) -> Planted:
    """Makes the sources and ingests them."""
    work = scratch / "work"
    folders = {
        "competition": _ingested("competition", competition_like(scratch / "base", people), work / "competition"),
        "all-age-faces": _ingested("all-age-faces", realdata(AGED), work / "all-age-faces"),
        "fairface": _ingested(
            "folder", wide(scratch / "wide", photos), work / "fairface",
            mask="not_wear", name="fairface", licence="CC-BY-4.0",
        ),
    }  # fmt: skip
    rows = _photos(list(folders.values()))
    bare = rows[rows["mask"].eq("not_wear")].reset_index(drop=True)
    of_file = bare.set_index("file")
    (scratch / "copies").mkdir()
    made, truth = plant([Path(file) for file in bare["file"]], copies, scratch / "copies")
    lines, contradicted = ["file_name,gender"], set()
    for number, file in enumerate(made):
        gender = str(of_file.loc[str(truth[file.name][0]), "gender"])
        if number % 5 == 0:
            gender = "male" if gender == "female" else "female"
            contradicted.add(f"copies:{file.name}")
        lines.append(f"{file.name},{gender}")
    (scratch / "copies" / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    folders["copies"] = _ingested(
        "folder", scratch / "copies", work / "copies", mask="not_wear", name="copies", licence="CC0-1.0"
    )
    originals = {f"copies:{name}": str(of_file.loc[str(path), "photo_id"]) for name, (path, _) in truth.items()}
    folders["evaluation"], evaluated = _evaluation(scratch, work, folders)
    return Planted(folders, originals, frozenset(contradicted), evaluated)


def _evaluation(scratch: Path, work: Path, folders: dict[str, Path]) -> tuple[Path, frozenset[str]]:
    """Ingests an evaluation set of people who are in the sources, and names them."""
    home = scratch / "evaluation"
    home.mkdir()
    rows = _photos([folders["competition"]])
    seen = rows[rows["path"].str.contains("mask2")].sort_values("photo_id").head(EVALUATED)
    for number, file in enumerate(seen["file"]):
        image = Image.open(file)
        image.resize((image.width * 4 // 5, image.height * 4 // 5)).save(home / f"a{number}.jpg", quality=75)
    same = _photos([folders["all-age-faces"]]).sort_values("photo_id").head(EVALUATED)
    for number, file in enumerate(same["file"]):
        shutil.copyfile(file, home / f"b{number}.jpg")
    people = frozenset([*seen["person_id"], *same["person_id"]])
    return _ingested("folder", home, work / "evaluation", name="evaluation"), people


def demands(known: Planted, duplicates: Path, merged: dict[str, Path]) -> list[tuple[str, bool, str]]:
    """What must be true of the tables on disk: the demand, whether it is met, and what was seen."""
    table = pd.read_csv(duplicates / "duplicates.csv")
    pairs = {frozenset(pair) for pair in table[["first", "second"]].itertuples(index=False, name=None)}
    found = sum(frozenset(pair) in pairs for pair in known.copies.items())
    strangers, photos = _strangers(table, known), len(_photos(list(known.folders.values())))
    told = table.set_index(["first", "second"])["conflict"].fillna("")
    listed = {name for (a, b), text in told.items() for name in (a, b) if name in known.contradicted and text}
    answers = [
        ("planted copies found", found >= LEAST_FOUND * len(known.copies), f"{found} of {len(known.copies)}"),
        (
            f"strangers taken for copies, of {photos} photos",
            strangers <= MOST_FALSE * photos,
            str(strangers),
        ),
        (
            "contradicting genders listed",
            len(listed) >= LEAST_FOUND * len(known.contradicted),
            f"{len(listed)} of {len(known.contradicted)}",
        ),
    ]
    for rules, folder in merged.items():
        answers += _of_merge(rules, folder, known)
    return answers


def _strangers(table: pd.DataFrame, known: Planted) -> int:
    """Pairs of a copy with somebody who isn't its original's person, nor linked to that person by another pair."""
    everything = _photos(list(known.folders.values()))
    person = {str(name): str(own) for name, own in zip(everything["photo_id"], everything["person_id"], strict=True)}
    real = [pair for pair in table[["first", "second"]].values.tolist() if not set(pair) & set(known.copies)]
    linked = {frozenset(person[name] for name in pair) for pair in real}
    count = 0
    for pair in table[["first", "second"]].values.tolist():
        people = frozenset(person[known.copies.get(name, name)] for name in pair)
        # A photo that is in both samples is found among the photos themselves, without any copy.
        count += bool(set(pair) & set(known.copies)) and len(people) > 1 and people not in linked
    return count


def _of_merge(rules: str, folder: Path, known: Planted) -> list[tuple[str, bool, str]]:
    frame, refusals = read_manifest(folder), read_refusals(folder)
    everything = _photos([path for name, path in known.folders.items() if name != "evaluation"])
    person = everything.set_index("photo_id")["person_id"]
    # Who somebody is, by what was planted alone: a copy's person is its original's.
    truth = {name: str(person[known.copies.get(name, name)]) for name in everything["photo_id"]}
    who = frame["photo_id"].map(truth)
    leaks = int((frame.groupby(who)["fold"].nunique() > 1).sum())
    evaluated = int(who.isin(known.evaluated).sum())
    both = [copy for copy, original in known.copies.items() if {copy, original} <= set(frame["photo_id"])]
    excluded = everything["photo_id"].isin(refusals.loc[refusals["reason"].eq("licence"), "photo_id"])
    by_source = everything.assign(out=excluded).groupby("source")["out"].agg(["sum", "count"])
    right = all(row["sum"] == (row["count"] if name in BARRED[rules] else 0) for name, row in by_source.iterrows())
    copied = {name for name, other in known.copies.items() if other.partition(":")[0] in BARRED[rules]}
    copied &= set(frame["photo_id"])
    listed = set(pd.read_csv(folder / DISPUTED)["photo_id"])
    lost = len(set(everything["photo_id"]) - set(frame["photo_id"]) - set(refusals["photo_id"]))
    exclusions = ", ".join(f"{name} {row['sum']}/{row['count']}" for name, row in by_source.iterrows())
    return [
        (f"{rules}: people in two folds", leaks == 0, f"{leaks} of {who.nunique()}"),
        (f"{rules}: photos of evaluated people", evaluated == 0, str(evaluated)),
        (f"{rules}: copies kept beside their original", not both, str(len(both))),
        (f"{rules}: licence exclusions", right, exclusions),
        (f"{rules}: copies of excluded photos listed", listed == copied, f"{len(listed & copied)} of {len(copied)}"),
        (f"{rules}: photos neither merged nor refused", lost == 0, str(lost)),
    ]


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The tables of a merge."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def merges(known: Planted, duplicates: Path, scratch: Path) -> tuple[dict[str, Path], list[tuple[str, bool, str]]]:
    """Merges under two rules, again and in another order; gives the folders, and whether bytes are the same."""
    inputs = [path for name, path in known.folders.items() if name != "evaluation"]
    options = MergeOptions([duplicates], [known.folders["evaluation"]])
    merged, same = {}, []
    for rules in BARRED:
        first, again, turned = (scratch / f"{rules}-{name}" for name in ("first", "again", "turned"))
        for folder, order in ((first, inputs), (again, inputs), (turned, inputs[::-1])):
            merge_stage(order, folder, rules=rules, options=options)
        merge_stage(inputs, again, rules=rules, options=options)
        told = bytes_of(first)
        same.append((f"{rules}: same bytes again, over itself", bytes_of(again) == told, ", ".join(told)))
        same.append((f"{rules}: same bytes in another order", bytes_of(turned) == told, ", ".join(told)))
        merged[rules] = first
    return merged, same


def main() -> int:
    """Runs the benchmark; 1 where a demand is missed, 2 where there are no photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=60, help="of the competition-like folder")
    parser.add_argument("--photos", type=int, default=540, help="of the wide FairFace sample")
    parser.add_argument("--copies", type=int, default=50)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, help="folder for the sources and merges [default: a temporary one]")
    given, console = parser.parse_args(), Console(width=120)
    with tempfile.TemporaryDirectory() as temporary:
        scratch = outside_repository(given.keep) if given.keep else Path(temporary)
        known = planted(scratch, given.people, given.photos, given.copies)
        options = DuplicatesOptions(workers=given.workers)
        found = duplicates_stage(list(known.folders.values()), scratch / "duplicates", options)
        merged, same = merges(known, found.table.parent, scratch)
        answers = demands(known, found.table.parent, merged) + same
    table = Table(title=f"a merge of {sum(found.summary['pairs'].values())} pairs of duplicates", title_justify="left")
    for name in ("demand", "met", "seen"):
        table.add_column(name)
    for demand, met, seen in answers:
        table.add_row(demand, "met" if met else "MISSED", seen)
    console.print(table)
    return 0 if all(met for _, met, _ in answers) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The competition's folder: `train/train.csv` and seven photos a person in `train/images/<path>/`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pandas as pd

from datasets.corrections import STEMS, Corrections, read_corrections
from datasets.finding import PhotoFile, find_photos
from datasets.labels import GENDERS, known_age
from datasets.licences import COMPETITION
from datasets.named_files import file_version
from datasets.readers.base import Listing, ReaderInfo, Record, folders_below, missing_layout, register
from datasets.refusals import Refusal, printable
from datasets.tables import read_table

INFO: Final = ReaderInfo(
    name="competition",
    licence=COMPETITION,
    expects="train/train.csv (id,gender,race,age,path) and train/images/<path>/{mask1..mask5,incorrect_mask,normal}",
    lacks="nothing: mask, gender and age are given (some published labels are wrong; see the option corrections)",
    published="2,700 people, 18,900 photos of 384x512, 1,658 women and 1,042 men, 192 people of 60 and over",
    home="nowhere: Boostcamp AI Tech gives it to those who take part, and to nobody else",
    options={"corrections": "CSV of label corrections: person,field,value"},
)


DEPTH: Final = 3
"""How far below the folder named train.csv may lie: two archives unpacked beside each other are `train/train/`."""


@dataclass(frozen=True)
class Person:
    """One row of train.csv.

    Attributes:
        key: The column `path`, name of the person's folder. Not `id`: that one repeats.
        id: The column `id`, text.
        gender: None where the table has no word for it.
        age: Years, None where it isn't an age.
    """

    key: str
    id: str
    gender: str | None
    age: float | None


@register(INFO)
def read(root: Path, options: Mapping[str, Any]) -> Listing:
    """Lists the competition's photos.

    Args:
        root: The folder that holds `train`, or `train` itself.
        options: `corrections`, the path of a CSV.

    Returns:
        The photos of the people in train.csv. Refused are photos that a person lacks (`missing_photo`), photos of
        folders without a row (`no_row`) or with a name that isn't one of the seven (`unexpected_name`), a second file
        of one name (`duplicate_stem`), and people whose rows contradict each other (`label_conflict`).

    Raises:
        LayoutError: If the folder isn't laid out so; the message says what was looked for and what was found.
        LabelsError: If train.csv or the corrections can't be read.
    """
    train = _find_train(root)
    table = read_table(train / "train.csv", required=("id", "gender", "age", "path"))
    people, refusals = _people(table)
    corrections = read_corrections(Path(options["corrections"])) if "corrections" in options else Corrections()
    corrections.check({person.key: person.id for person in people.values()})
    refusals += corrections.unmatched({person.key: person.id for person in people.values()})
    prefix = "" if train == root else f"{train.relative_to(root).as_posix()}/"
    photos, unusable = find_photos(train / "images")
    inside = [replace(photo, relative=f"{prefix}images/{photo.relative}") for photo in photos]
    refusals += [replace(refusal, photo_id=f"{prefix}images/{refusal.photo_id}") for refusal in unusable]
    records, refused = _match(inside, people, f"{prefix}images/", corrections)
    if not records:
        raise missing_layout(
            train / "images", "the photos of any of the people in train.csv, such as " + _wanted(people)
        )
    return Listing(records, refusals + refused, version=file_version(train / "train.csv"))


def _find_train(root: Path) -> Path:
    for train in (root / "train", *folders_below(root, DEPTH, frozenset({"images"}))):
        if (train / "train.csv").is_file():
            if not (train / "images").is_dir():
                raise missing_layout(train, "a folder images beside train.csv (is the archive only half unpacked?)")
            return train
    wanted = "train/train.csv with train/images beside it, or train.csv with images"
    if (root / "train").is_dir():
        raise missing_layout(root / "train", f"train.csv ({wanted})")
    raise missing_layout(root, wanted)


def _wanted(people: dict[str, Person]) -> str:
    return f"{next(iter(people))}/mask1.jpg" if people else "none, for it has no rows"


def _people(table: pd.DataFrame) -> tuple[dict[str, Person], list[Refusal]]:
    people: dict[str, Person] = {}
    refusals, contradicted = [], set()
    columns = (table[column].tolist() for column in ("path", "id", "gender", "age"))
    for key, identity, gender, age in zip(*columns, strict=True):
        person = Person(key, identity, gender.lower() if gender.lower() in GENDERS else None, _age(age))
        if not _is_folder_name(key):
            refusals.append(
                Refusal(printable(key) or identity, "labels", "unsafe_path", "path must be one folder's name")
            )
        elif people.setdefault(key, person) != person:
            contradicted.add(key)
    for key in sorted(contradicted):
        refusals.append(Refusal(key, "labels", "label_conflict", "two rows of train.csv with different labels"))
        del people[key]
    return people, refusals


def _is_folder_name(key: str) -> bool:
    return bool(key) and key not in (".", "..") and "/" not in key and "\\" not in key and printable(key) == key


def _age(text: str) -> float | None:
    try:
        return known_age(float(text))
    except ValueError:
        return None


def _match(
    photos: list[PhotoFile], people: dict[str, Person], prefix: str, corrections: Corrections
) -> tuple[list[Record], list[Refusal]]:
    """Gives each photo its person and its labels; what fits nobody, and what somebody lacks, is refused."""
    records, refusals = [], []
    seen: Counter[tuple[str, str]] = Counter()
    for photo in photos:
        key, _, name = photo.relative.removeprefix(prefix).partition("/")
        person, stem = people.get(key), PurePosixPath(name).stem
        if person is None or not name:
            refusals.append(Refusal(photo.relative, "labels", "no_row", "train.csv has no usable row for its folder"))
        elif "/" in name or stem not in STEMS:
            wanted = ", ".join(STEMS)
            refusals.append(Refusal(photo.relative, "labels", "unexpected_name", f"expected one of {wanted}"))
        elif seen[key, stem]:
            refusals.append(Refusal(photo.relative, "labels", "duplicate_stem", f"another file is called {stem} too"))
        else:
            records.append(Record(photo, key, _labels(person, stem, corrections)))
            seen[key, stem] += 1
    for key in people:
        for stem in STEMS:
            if not seen[key, stem]:
                detail = "no file of this name with a photo's suffix"
                refusals.append(Refusal(f"{prefix}{key}/{stem}", "labels", "missing_photo", detail))
    return records, refusals


def _labels(person: Person, stem: str, corrections: Corrections) -> dict[str, Any]:
    fixes = corrections.of(person.key, person.id)
    labels: dict[str, Any] = {"mask": STEMS[fixes.stem(stem)], "gender": person.gender, "age": person.age}
    if fixes.stem(stem) != stem:
        labels["mask_from"] = "corrected"
    for column in ("gender", "age"):
        if column in fixes.values and fixes.values[column] != labels[column]:
            labels |= {column: fixes.values[column], f"{column}_from": "corrected"}
    return labels

"""Photographs of people whose gender is known, set by set, for the benchmark of genders."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import PORTRAITS, realdata

TAUGHT, AGED, WIDE, STUDIO = "FairFace train", "All-Age-Faces", "fairface540", "London set"

WOMEN_UP_TO = 7380
"""Last serial number of a woman in All-Age-Faces; men follow."""

AGED_NAME = re.compile(r"(\d{5})A(\d{2})")


@dataclass(frozen=True)
class Known:
    """A photograph of somebody; no set here shows a person twice as far as its labels tell.

    Attributes:
        path: of the file.
        gender: `male` or `female`.
        age: in years; of a range, its lower end.
        race: as the set says it; empty where it does not.
    """

    path: Path
    gender: str
    age: int
    race: str = ""


def load_sets() -> dict[str, list[Known]]:
    """The photographs by the name of their set; ends the command with 2 where one is missing."""
    folder = realdata("fairface_train_ccby4").parent
    return {
        TAUGHT: list(_rows(folder / "fairface_train_sample.csv", folder, "race")),
        AGED: list(_aged(realdata("All-Age-Faces Dataset/original images"))),
        WIDE: list(_wide(realdata("fairface540_ccby4/fairface"))),
        STUDIO: list(_rows(realdata(PORTRAITS) / "info.csv", realdata(PORTRAITS), "ethnicity")),
    }


def lowest_age(told: str) -> int:
    """The lower end of `30-39`, `more than 70`, `70+` or `34`.

    Raises:
        ValueError: there is no number in it.
    """
    number = re.search(r"\d+", told)
    if number is None:
        raise ValueError(f"{told!r} is no age")
    return int(number.group())


def _rows(table: Path, folder: Path, race: str) -> Iterator[Known]:
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Known(folder / row["file"], row["gender"].lower(), lowest_age(row["age"]), row[race])


def _aged(folder: Path) -> Iterator[Known]:
    for path in sorted(folder.glob("*.jpg")):
        told = AGED_NAME.fullmatch(path.stem)
        if told is not None:
            yield Known(path, "female" if int(told[1]) <= WOMEN_UP_TO else "male", int(told[2]), "East Asian")


def _wide(folder: Path) -> Iterator[Known]:
    for row in json.loads((folder / "ground_truth.json").read_text(encoding="utf-8")):
        yield Known(folder / row["filename"], row["gender"].lower(), lowest_age(row["age"]))

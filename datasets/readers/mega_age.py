"""MegaAge and MegaAge-Asian: lists of names and of ages, line by line, and the photos in train and test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from datasets.errors import LabelsError, UsageError
from datasets.finding import find_photos
from datasets.named_files import file_version
from datasets.origins import SOURCES
from datasets.readers.base import Listing, ReaderInfo, Record, folders_below, missing_layout, register
from datasets.refusals import Refusal, printable

SPLITS: Final = ("train", "test")
LISTS: Final = "list"
DEPTH: Final = 2
"""The archive nests its folder twice."""

NON_COMMERCIAL: Final = "LicenseRef-non-commercial"
_HOME: Final = f"http://mmlab.ie.cuhk.edu.hk/projects/MegaAge/, and {SOURCES['mega-age'].home}"
_EXPECTS: Final = "{}/{{train,test,list}}, with list/{{train,test}}_name.txt and _age.txt; at most two folders down"
_LACKS: Final = (
    "genders, masks and persons (every photo counts as a person of its own); people over 70; free terms: the "
    "competition rules exclude it. Photos are 178x218 with a border of 20 pixels above and below"
)
_OPTIONS: Final = {"split": "train or test alone (default: both)"}

ASIAN: Final = ReaderInfo(
    name="mega-age-asian",
    licence=NON_COMMERCIAL,
    expects=_EXPECTS.format("megaage_asian"),
    lacks=_LACKS,
    published="40,000 and 3,945 photos of 178x218, ages 0 to 70",
    home=_HOME,
    options=_OPTIONS,
)
PROPER: Final = ReaderInfo(
    name="mega-age",
    licence=NON_COMMERCIAL,
    expects=_EXPECTS.format("megaage"),
    lacks=_LACKS,
    published="41,941 photos of 178x218, ages 0 to 70",
    home=_HOME,
    options=_OPTIONS,
)


@register(ASIAN)
def read_asian(root: Path, options: Mapping[str, Any]) -> Listing:
    """Lists MegaAge-Asian's photos; see `read`."""
    return read(root, options)


@register(PROPER)
def read_proper(root: Path, options: Mapping[str, Any]) -> Listing:
    """Lists MegaAge's photos; see `read`."""
    return read(root, options)


def read(root: Path, options: Mapping[str, Any]) -> Listing:
    """Lists the photos of either set.

    Args:
        root: The folder of `train`, `test` and `list`, or one around it.
        options: `split`.

    Returns:
        Photos with ages, `not_wear`, each its own person: `1.jpg` of train and of test are two people. Refused are
        photos that no list has (`no_row`), names without a photo (`missing_photo`), and names that the lists give two
        ages (`label_conflict`).

    Raises:
        UsageError: If `split` is neither train nor test.
        LayoutError: If the folder isn't laid out so, or only half of it is there.
        LabelsError: If the lists of names and ages don't fit each other, or an age is none.
    """
    home = _find_home(root)
    wanted = str(options.get("split", ""))
    if wanted and wanted not in SPLITS:
        raise UsageError(f"split must be one of {', '.join(SPLITS)}, not {wanted!r}")
    names = [name for name in SPLITS if wanted in ("", name) and _is_there(home, name)]
    if not names:
        raise missing_layout(home / LISTS, f"{wanted or 'train'}_name.txt and {wanted or 'train'}_age.txt")
    records: list[Record] = []
    refusals: list[Refusal] = []
    for name in names:
        found, refused = _read_split(root, home, name)
        records += found
        refusals += refused
    if not records:
        raise missing_layout(home / names[0], f"the photos that list/{names[0]}_name.txt names, such as 1.jpg")
    version = ", ".join(file_version(home / LISTS / f"{name}_age.txt") for name in names)
    return Listing(records, refusals, version=version)


def _find_home(root: Path) -> Path:
    for folder in folders_below(root, DEPTH, frozenset(SPLITS)):
        if (folder / LISTS).is_dir():
            return folder
    raise missing_layout(root, f"a folder {LISTS} beside train and test, up to {DEPTH} folders down")


def _is_there(home: Path, split: str) -> bool:
    """Says whether there is this split; one that is only half there is an error."""
    parts = {
        f"{LISTS}/{split}_name.txt": (home / LISTS / f"{split}_name.txt").is_file(),
        f"{LISTS}/{split}_age.txt": (home / LISTS / f"{split}_age.txt").is_file(),
        f"{split}/": (home / split).is_dir(),
    }
    absent = [part for part, there in parts.items() if not there]
    if absent and len(absent) < len(parts):
        raise missing_layout(home, f"{' and '.join(absent)} for its {split} photos (is it only half unpacked?)")
    return not absent


def _read_split(root: Path, home: Path, name: str) -> tuple[list[Record], list[Refusal]]:
    prefix = f"{(home / name).relative_to(root).as_posix()}/"
    ages, differ = _ages(home / LISTS, name)
    photos, unusable = find_photos(home / name)
    records, refusals = [], [replace(refusal, photo_id=prefix + refusal.photo_id) for refusal in unusable]
    for photo in photos:
        inside = replace(photo, relative=prefix + photo.relative)
        if photo.relative not in ages:
            detail = f"list/{name}_name.txt doesn't name it"
            refusals.append(Refusal(inside.relative, "labels", "no_row", detail))
        elif photo.relative in differ:
            refusals.append(Refusal(inside.relative, "labels", "label_conflict", "the lists give it two ages"))
        else:
            labels = {"mask": "not_wear", "age": ages[photo.relative]}
            records.append(Record(inside, f"{name}/{photo.relative}", labels))
    missing = sorted(set(ages) - {photo.relative for photo in photos})
    detail = f"named in list/{name}_name.txt"
    refusals += [Refusal(prefix + printable(each), "labels", "missing_photo", detail) for each in missing]
    return records, refusals


def _ages(lists: Path, split: str) -> tuple[dict[str, float], set[str]]:
    """Reads the age of each name, and which names have two."""
    names, years = _lines(lists / f"{split}_name.txt"), _lines(lists / f"{split}_age.txt")
    if len(names) != len(years):
        raise LabelsError(
            f"{lists / f'{split}_name.txt'} has {len(names):,} lines and {split}_age.txt {len(years):,}: they must "
            "go together line by line; unpack them again"
        )
    ages: dict[str, float] = {}
    differ = set()
    for number, (name, text) in enumerate(zip(names, years, strict=True), start=1):
        try:
            age = float(text)
        except ValueError:
            age = math.nan
        if not math.isfinite(age):
            raise LabelsError(f"{lists / f'{split}_age.txt'} line {number}: expected years, not {text!r}")
        if ages.setdefault(name, age) != age:
            differ.add(name)
    return ages, differ


def _lines(file: Path) -> list[str]:
    """Reads a list's lines, stripped, with whatever ends of lines; blank lines at the end are none."""
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8-sig").rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise LabelsError(f"cannot read {file} as a list: {error}") from error

"""Medical masks: parts of a table and a folder of photos each, four photos a person, one for each TYPE of wear."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from datasets.errors import LayoutError, UsageError
from datasets.finding import PhotoFile, find_photos
from datasets.licences import UNSTATED
from datasets.named_files import file_version
from datasets.readers.base import Listing, ReaderInfo, Record, folders_below, missing_layout, register
from datasets.refusals import Refusal, printable
from datasets.tables import read_table

IMAGES: Final = "images"
DEPTH: Final = 3
"""How far below the folder named a part may lie."""

TYPES: Final = {"1": "wear", "2": "incorrect", "3": "incorrect", "4": "not_wear"}
"""1 worn right, 2 nose out, 3 nose and mouth out, 4 none, as the photos show; the vendor's README has it reversed."""

COLUMNS: Final = ("type", "user_id", "gender", "age", "name")

_TABLE: Final = re.compile(r"df(?:_part_(\d+))?\.csv", re.IGNORECASE)
_NAME: Final = re.compile(r"(\d{6})_([1-4])_(\d{6})_(MALE|FEMALE|NONE)_(\d+)")
_GENDERS: Final = {"MALE": "male", "FEMALE": "female"}

PARTS: Final = range(1, 8)
_OWNER: Final = "tapakah68"
_SPELT_OUT: Final = frozenset({1, 2, 7})
"""Parts that are cited as medical-masks-part1 and so on; the others as medical-masks-p4."""


def kaggle_names() -> dict[int, tuple[str, ...]]:
    """Returns for each part the names that it may have on Kaggle, the likeliest first."""
    names: dict[int, tuple[str, ...]] = {}
    for part in PARTS:
        short, long = f"{_OWNER}/medical-masks-p{part}", f"{_OWNER}/medical-masks-part{part}"
        names[part] = (long, short) if part in _SPELT_OUT else (short, long)
    return names


INFO: Final = ReaderInfo(
    name="medical-masks",
    licence=UNSTATED,
    expects="df.csv or df_part_N.csv with a folder images beside it; or a folder of such parts, any number at once",
    lacks="genders of a third of the people (NONE), people of 60 and over (124 photos of part 1), and a licence known "
    "here: its page on Kaggle states the terms, give them with --licence; ages to 2019, some photos are cut off; "
    "its README has the TYPEs in reverse, so look at the sheets that ingest makes of each",
    published="250,000 photos of 28,000 people in 7 parts; part 1 has 40,000 photos, 86 GB",
    home="https://www.kaggle.com/datasets/tapakah68/medical-masks-p4 and the owner's other parts",
    kaggle=kaggle_names(),
    options={"parts": "numbers of the parts to read, such as 1,4 (default: all that are there)"},
    ages=(10, 100),
    types=TYPES,
)


@dataclass(frozen=True)
class Part:
    """One part of the set as it lies on disk."""

    number: int
    table: Path

    @property
    def images(self) -> Path:
        """The folder of its photos."""
        return self.table.parent / IMAGES


@dataclass(frozen=True)
class Facts:
    """What a photo's name, or its row, says: TYPE, person, gender or NONE, age in years as the set has it."""

    code: str
    user: int
    gender: str
    age: float


@register(INFO)
def read(root: Path, options: Mapping[str, Any]) -> Listing:
    """Lists the photos of all parts.

    Args:
        root: A part's folder, or one that holds parts.
        options: `parts`, see INFO.

    Returns:
        The photos that have a row, each with its person: `USER_ID` is the same person in every part. A gender that is
        NONE is taken from the person's other rows, if one has it. Refused are photos without a row (`no_row`), rows
        without a photo (`missing_photo`), names of another form (`unexpected_name`), a second file of one name in a
        part (`duplicate_name`), and photos whose name and row, or whose person's rows, contradict each other
        (`label_conflict`).

    Raises:
        LayoutError: If there is no part, or one is only half there; the message says what was looked for and found.
        LabelsError: If a table can't be read.
    """
    records: list[Record] = []
    refusals: list[Refusal] = []
    parts = _chosen(_find_parts(root), options)
    versions = {part.number: file_version(part.table) for part in parts}
    for part in parts:
        found, refused = _read_part(root, part, versions[part.number])
        records += found
        refusals += refused
    if not records:
        raise missing_layout(parts[0].images, "photos named as 000001_1_000001_MALE_25.jpg that its table has rows of")
    settled, contradicted = _one_gender_each(records)
    return Listing(settled, refusals + contradicted, version=", ".join(versions.values()))


def _find_parts(root: Path) -> list[Part]:
    parts: dict[int, Part] = {}
    for folder in folders_below(root, DEPTH, frozenset({IMAGES})):
        tables = sorted(path for path in folder.iterdir() if _TABLE.fullmatch(path.name) and path.is_file())
        if (folder / IMAGES).is_dir() and len(tables) != 1:
            wanted = "one table df.csv or df_part_N.csv beside its folder images (is it only half unpacked?)"
            raise missing_layout(folder, wanted)
        for table in tables:
            part = Part(int((_TABLE.fullmatch(table.name) or [""])[1] or 1), table)
            if not part.images.is_dir():
                raise missing_layout(folder, f"a folder images beside {table.name} (is it only half unpacked?)")
            if part.number in parts:
                raise LayoutError(
                    f"part {part.number} is there twice: {parts[part.number].table} and {table}; keep one of them"
                )
            parts[part.number] = part
    if not parts:
        raise missing_layout(
            root, f"df.csv or df_part_N.csv with a folder images beside it, up to {DEPTH} folders down"
        )
    return [parts[number] for number in sorted(parts)]


def _chosen(parts: list[Part], options: Mapping[str, Any]) -> list[Part]:
    if "parts" not in options:
        return parts
    given = options["parts"]
    words = given if isinstance(given, list | tuple) else str(given).split(",")
    try:
        numbers = {int(word) for word in words}
    except ValueError as error:
        raise UsageError(f"parts must be numbers such as 1,4, not {given!r}") from error
    there = {part.number for part in parts}
    if not numbers <= there:
        absent, found = (", ".join(map(str, sorted(some))) for some in (numbers - there, there))
        raise LayoutError(f"no part {absent} there; found {found}")
    return [part for part in parts if part.number in numbers]


def _read_part(root: Path, part: Part, version: str) -> tuple[list[Record], list[Refusal]]:
    rows, differ = _rows(part)
    prefix = f"{part.images.relative_to(root).as_posix()}/"
    photos, unusable = find_photos(part.images)
    refusals = [replace(refusal, photo_id=prefix + refusal.photo_id) for refusal in unusable]
    records, seen = [], set()
    for photo in photos:
        name = PurePosixPath(photo.relative).name
        inside = replace(photo, relative=prefix + photo.relative)
        result = _record(inside, name, rows.get(name), version, part.table.name)
        if isinstance(result, Record) and name in seen:
            result = Refusal(inside.relative, "labels", "duplicate_name", "another file of this part has its name")
        elif name in differ:
            detail = f"two rows of {part.table.name} with different labels"
            result = Refusal(inside.relative, "labels", "label_conflict", detail)
        seen.add(name)
        if isinstance(result, Record):
            records.append(result)
        else:
            refusals.append(result)
    detail = f"a row of {part.table.name}"
    missing = (name for name in sorted(rows) if name not in seen)
    refusals += [Refusal(prefix + printable(name), "labels", "missing_photo", detail) for name in missing]
    return records, refusals


def _rows(part: Part) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Returns each name's TYPE, USER_ID, GENDER and AGE as text, and the names whose rows differ."""
    table = read_table(part.table, required=COLUMNS)
    rows: dict[str, tuple[str, ...]] = {}
    differ = set()
    for *values, name in zip(*(table[column].tolist() for column in COLUMNS), strict=True):
        if name and rows.setdefault(name, tuple(values)) != tuple(values):
            differ.add(name)
    return rows, differ


def _record(photo: PhotoFile, name: str, row: tuple[str, ...] | None, version: str, table: str) -> Record | Refusal:
    match = _NAME.fullmatch(PurePosixPath(name).stem)
    if match is None:
        wanted = "expected ID_TYPE_USER_GENDER_AGE.jpg, such as 000001_1_000001_MALE_25.jpg"
        return Refusal(photo.relative, "labels", "unexpected_name", wanted)
    if row is None:
        return Refusal(photo.relative, "labels", "no_row", f"{table} has no row of this name")
    facts = Facts(match[2], int(match[3]), match[4], float(match[5]))
    if clash := _clash(facts, row):
        return Refusal(photo.relative, "labels", "label_conflict", f"{clash} in {table}")
    labels = {"gender": _GENDERS.get(facts.gender), "age": facts.age}
    return Record(photo, f"{facts.user:06d}", labels, facts.code, version)


def _clash(facts: Facts, row: tuple[str, ...]) -> str:
    """Says where a row contradicts the name; a cell that is empty contradicts nothing."""
    for what, said, cell in zip(("TYPE", "USER_ID", "GENDER", "AGE"), _texts(facts), row, strict=True):
        if cell and _plain(cell) != said:
            return f"{what} {said} by its name, {printable(cell)[:40]}"
    return ""


def _texts(facts: Facts) -> tuple[str, ...]:
    return facts.code, str(facts.user), facts.gender, str(int(facts.age))


def _plain(cell: str) -> str:
    """Returns a number as it is written without leading zeros and `.0`, other text in capitals."""
    match = re.fullmatch(r"0*(\d+)(?:\.0*)?", cell)
    return match[1] if match else cell.upper()


def _one_gender_each(records: Iterable[Record]) -> tuple[list[Record], list[Refusal]]:
    """Gives every photo of a person the gender that any of them has; people who have two are refused."""
    genders: dict[str, set[str]] = defaultdict(set)
    for record in records:
        if record.labels["gender"]:
            genders[record.person].add(record.labels["gender"])
    settled, refusals = [], []
    for record in records:
        known = genders[record.person]
        if len(known) > 1:
            detail = f"USER_ID {record.person} is both male and female in the tables"
            refusals.append(Refusal(record.photo.relative, "labels", "label_conflict", detail))
        else:
            settled.append(replace(record, labels={**record.labels, "gender": next(iter(known), None)}))
    return settled, refusals

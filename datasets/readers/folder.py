"""Any nested folder of photos, with the labels that a table beside it gives, or none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pandas as pd

from datasets.errors import UsageError
from datasets.finding import PhotoFile, find_photos
from datasets.labels import MASK_STATES
from datasets.licences import LICENCES, UNSTATED
from datasets.named_files import file_version
from datasets.readers.base import Listing, ReaderInfo, Record, choice, register
from datasets.refusals import Refusal, printable
from datasets.schema import SOURCE_NAME
from datasets.tables import LABEL_COLUMNS, read_labels_csv

METADATA: Final = "metadata.csv"
"""Read without being asked for: the table of Hugging Face's imagefolder layout, with a column `file_name`."""

INFO: Final = ReaderInfo(
    name="folder",
    licence=UNSTATED,
    expects="jpg, jpeg, png, webp or bmp files at any depth, and a metadata.csv if there is one",
    lacks="every label that no table gives",
    published="nothing",
    home="wherever your photos are",
    options={
        "csv": "CSV of labels (file_name, path or file; mask, gender, age, age_group, person_id, licence)",
        "mask": f"the mask state of every photo whose label isn't given: {', '.join(MASK_STATES)}",
        "name": "name of the source, so that two folders can be told apart (default: folder)",
        "person": "photo (default): every photo is a person of its own; folder: those of one subfolder are one person",
    },
)


@register(INFO)
def read(root: Path, options: Mapping[str, Any]) -> Listing:
    """Lists a folder's photos.

    Args:
        root: The folder.
        options: `csv`, `mask`, `name`, `person`; see INFO.

    Returns:
        All photos found, labelled where the table says something of them. A row without a photo is refused as
        `missing_photo`.

    Raises:
        UsageError: If an option has a value it can't have.
        LabelsError: If the table can't be read; see `read_labels_csv`.
    """
    source = str(options.get("name", INFO.name))
    if not re.fullmatch(SOURCE_NAME, source):
        raise UsageError(f"name must be lower-case letters, digits, dots and dashes, not {source!r}")
    mask = choice(options, "mask", MASK_STATES, MASK_STATES[0]) if "mask" in options else None
    person = choice(options, "person", ("photo", "folder"), "photo")
    photos, refusals = find_photos(root)
    file = Path(options["csv"]) if "csv" in options else root / METADATA
    labels: dict[str, dict[str, Any]] = {}
    version = None
    if "csv" in options or file.is_file():
        labels, unmatched = _match(read_labels_csv(file), photos, root, file)
        refusals += unmatched
        version = file_version(file)
    records = [_record(photo, labels.get(photo.relative, {}), mask, person) for photo in photos]
    return Listing(records, refusals, source=source, version=version)


def _record(photo: PhotoFile, labels: dict[str, Any], mask: str | None, person: str) -> Record:
    given = {column: value for column, value in labels.items() if not pd.isna(value)}
    default = str(PurePosixPath(photo.relative).parent) if person == "folder" else photo.relative
    key = given.pop("person_id", default if default != "." else photo.relative)
    if mask is not None:
        given.setdefault("mask", mask)
    if "licence" in given:
        given["licence"] = {name.lower(): name for name in LICENCES}.get(given["licence"].lower(), given["licence"])
    return Record(photo, key, given)


def _match(
    table: pd.DataFrame, photos: list[PhotoFile], root: Path, file: Path
) -> tuple[dict[str, dict[str, Any]], list[Refusal]]:
    """Gives each row its photo: as the table spells it, or below the table's own folder, however accents are coded."""
    known = {unicodedata.normalize("NFC", photo.relative): photo.relative for photo in photos}
    beside = _below(root, file.resolve().parent)
    labels, refusals = {}, []
    for row in table.to_dict("records"):
        name = unicodedata.normalize("NFC", str(row["file"]))
        relative = known.get(name) or (known.get(name.removeprefix(beside)) if name.startswith(beside) else None)
        if relative is None:
            refusals.append(Refusal(printable(str(row["file"])), "labels", "missing_photo", f"a row of {file.name}"))
        else:
            labels[relative] = {column: row[column] for column in LABEL_COLUMNS}
    return labels, refusals


def _below(root: Path, folder: Path) -> str:
    """Returns how a table in `folder` begins the names of photos in `root`."""
    return (
        unicodedata.normalize("NFC", f"{root.relative_to(folder).as_posix()}/") if root.is_relative_to(folder) else ""
    )

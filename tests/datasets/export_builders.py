"""What an exported folder holds, as its tables have it and as it is."""

from __future__ import annotations

import csv
from pathlib import Path

TABLE = "metadata.csv"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def photos_of(folder: Path) -> set[str]:
    """Paths of the photos that a loader would find."""
    return {name for name in contents(folder) if name.endswith((".jpg", ".png")) and "/." not in name}


def tabled(folder: Path) -> set[str]:
    """Paths of the photos that the tables name."""
    files = [(file.parent, line) for file in folder.rglob(TABLE) for line in table(file)]
    return {(parent / line["file_name"]).relative_to(folder).as_posix() for parent, line in files}

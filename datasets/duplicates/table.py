"""The table of duplicates: pairs of photos that show the same picture or the same person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from datasets.atomic import atomic_write
from datasets.errors import ManifestError, UsageError
from datasets.validating import validate

DUPLICATES: Final = "duplicates.csv"
KINDS: Final = ("exact", "near", "same_person")
WHAT: Final = "table of duplicates"


class DuplicateSchema(pa.DataFrameModel):
    """One row a pair, the photo id that comes first in the alphabet first.

    `kind`: `exact` of files with the same bytes, `near` of the same picture (re-encoded, resized, cropped or mirrored),
    `same_person` of different pictures. `score`: 1 of exact ones, the correlation of near ones, the distance between
    the faces' embeddings of `same_person`. `conflict`: labels that both have and that differ, `gender male/female`.
    """

    kind: Series[str] = pa.Field(isin=list(KINDS))
    first: Series[str] = pa.Field(str_length={"min_value": 1})
    second: Series[str] = pa.Field(str_length={"min_value": 1})
    first_person: Series[str] = pa.Field(str_length={"min_value": 1})
    second_person: Series[str] = pa.Field(str_length={"min_value": 1})
    score: Series[float]
    mirrored: Series[bool]
    conflict: Series[str]

    class Config:
        """Columns exactly these, in this order, cast to these types."""

        strict = True
        ordered = True
        coerce = True


DUPLICATE_COLUMNS: Final = tuple(DuplicateSchema.to_schema().columns)
_TEXTS: Final = dict.fromkeys(["kind", "first", "second", "first_person", "second_person", "conflict"], "str")
"""Else ids of digits alone would be read as numbers, and 007 as 7."""
_CONFLICTING: Final = ("mask", "gender", "age_group")


def make_duplicates(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Makes a valid table of duplicates, sorted, each pair with its smaller photo id first."""
    frame = pd.DataFrame.from_records(list(rows), columns=list(DUPLICATE_COLUMNS))
    turned = frame["first"] > frame["second"]
    for one, other in (("first", "second"), ("first_person", "second_person")):
        smaller, larger = frame[one].mask(turned, frame[other]), frame[other].mask(turned, frame[one])
        frame[one], frame[other] = smaller, larger
    frame["score"] = frame["score"].astype("float64").round(4)
    frame = frame.drop_duplicates(["kind", "first", "second"])
    return validate(frame.sort_values(["kind", "first", "second"]), DuplicateSchema, DUPLICATE_COLUMNS, WHAT)


def conflict_between(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Says in one line which labels two rows both have and have differently; empty where none."""
    told = [
        f"{column} {one[column]}/{other[column]}"
        for column in _CONFLICTING
        if not pd.isna(one[column]) and not pd.isna(other[column]) and one[column] != other[column]
    ]
    return "; ".join(told)


def read_duplicates(path: Path) -> pd.DataFrame:
    """Reads a table of duplicates from its CSV, or from the folder it is in.

    Raises:
        UsageError: If there is no such file.
        ManifestError: If it isn't a table of duplicates.
    """
    file = path / DUPLICATES if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"no table of duplicates at {path}: expected {DUPLICATES} or the folder that holds one")
    try:
        frame = pd.read_csv(file, dtype=_TEXTS, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ManifestError(f"cannot read {file} as a table of duplicates: {error}") from error
    try:
        return validate(frame, DuplicateSchema, DUPLICATE_COLUMNS, WHAT)
    except ManifestError as error:
        raise ManifestError(f"{file}: {error}") from error


def same_pictures(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns the pairs of photo ids in a table of duplicates that show one picture, not only one person."""
    alike = frame[frame["kind"].isin(["exact", "near"])]
    return list(zip(alike["first"].tolist(), alike["second"].tolist(), strict=True))


def write_duplicates(frame: pd.DataFrame, folder: Path) -> Path:
    """Writes a table of duplicates as CSV into a folder.

    Raises:
        OutputError: If the file can't be written.
    """
    with atomic_write(folder / DUPLICATES, durable=True) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    return folder / DUPLICATES

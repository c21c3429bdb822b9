"""Manifests and refusals as tables: made, checked, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as arrow
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from datasets.atomic import atomic_write
from datasets.errors import ManifestError, UsageError
from datasets.finding import MANIFEST
from datasets.labels import AGE_GROUPS, label_name
from datasets.refusals import Refusal
from datasets.schema import COLUMNS, REFUSAL_COLUMNS, ManifestSchema, RefusalSchema, label_series
from datasets.validating import validate

__all__ = [
    "MANIFEST",
    "REFUSALS",
    "Refusal",
    "make_manifest",
    "make_refusals",
    "read_manifest",
    "read_provenance",
    "read_refusals",
    "summarise",
    "validate_manifest",
    "with_labels",
    "write_manifest",
    "write_refusals",
]

REFUSALS: Final = "refusals.csv"
PROVENANCE: Final = b"palette"
"""Key of the Parquet file's metadata under which an ingested manifest says how it came to be, as JSON."""
_LABELS: Final = (("mask", "mask_from", "mask_confidence"), ("gender", "gender_from", "gender_confidence"))
_GROUPED: Final = (*_LABELS, ("age_group", "age_from", "age_confidence"))


def make_manifest(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Makes a valid manifest of rows that name only the columns they know.

    Missing columns are filled with missing values; `age_group` comes from `age` where only that is known, `*_from`
    of a label is `given` unless the row says otherwise, its confidence 1, and `label` is worked out.

    Args:
        rows: One mapping a photo, column name to value.

    Returns:
        The manifest, in the order of `rows`, with all COLUMNS.

    Raises:
        ManifestError: If a row names an unknown column or holds a value the schema doesn't admit.
    """
    frame = pd.DataFrame.from_records(list(rows))
    unknown = sorted(set(frame.columns) - set(COLUMNS))
    if unknown:
        raise ManifestError(f"unknown manifest columns {unknown}; the columns are {', '.join(COLUMNS)}")
    return validate_manifest(with_labels(frame.reindex(columns=list(COLUMNS))))


def with_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a copy with what follows from the labels filled in: age_group, `*_from`, confidences, `label`.

    Values already there stay, but for `label`, which is always worked out again, and for `*_from` and confidences of
    labels that are missing, which are emptied.
    """
    frame = frame.copy()
    grouped = pd.cut(frame["age"].astype("float64"), [-1, 30, 60, float("inf")], right=False, labels=list(AGE_GROUPS))
    frame["age_group"] = frame["age_group"].astype("str").fillna(grouped.astype("str"))
    for value, origin, confidence in _GROUPED:
        known = frame[value].notna()
        frame[origin] = frame[origin].astype("str").fillna("given").where(known)
        frame[confidence] = frame[confidence].astype("float64").fillna(1.0).where(known)
    frame["label"] = label_series(frame)
    return frame


def validate_manifest(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the manifest with its columns in order and cast to their types.

    Raises:
        ManifestError: With one line for each rule that is broken, how many rows break it, and one of their values.
    """
    return validate(frame, ManifestSchema, COLUMNS, "manifest")


def manifest_file(path: Path) -> Path:
    """Returns the manifest's file, given that file or the folder it is in."""
    return path / MANIFEST if path.is_dir() else path


def read_manifest(path: Path) -> pd.DataFrame:
    """Reads a manifest from its Parquet file, or from the folder that holds it.

    Raises:
        UsageError: If there is no such file.
        ManifestError: If it isn't Parquet, or isn't a valid manifest.
    """
    file = manifest_file(Path(path))
    if not file.is_file():
        raise UsageError(f"no manifest at {path}: expected {MANIFEST} or the folder that holds one")
    try:
        frame = parquet.read_table(file, partitioning=None).to_pandas()
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise ManifestError(f"cannot read {file} as a Parquet manifest: {str(error).splitlines()[0]}") from error
    try:
        return validate_manifest(frame)
    except ManifestError as error:
        raise ManifestError(f"{file}: {error}") from error


def write_manifest(frame: pd.DataFrame, path: Path, *, provenance: Mapping[str, Any] | None = None) -> Path:
    """Writes a manifest and, beside it, its CSV export; the same frame gives the same bytes.

    Args:
        frame: A manifest; it is validated first.
        path: The Parquet file, or a folder, which gets MANIFEST.
        provenance: How it came to be, as plain values; the Parquet file alone keeps it. See `read_provenance`.

    Returns:
        The Parquet file's path.

    Raises:
        ManifestError: If the frame isn't a valid manifest.
        OutputError: If a file can't be written.
    """
    return write_valid(validate_manifest(frame), path, provenance=provenance)


def write_valid(valid: pd.DataFrame, path: Path, *, provenance: Mapping[str, Any] | None = None) -> Path:
    """Does what `write_manifest` does, with a frame that `validate_manifest` has just returned."""
    file = path if path.suffix == ".parquet" else path / MANIFEST
    table = arrow.Table.from_pandas(valid, preserve_index=False)
    with atomic_write(file.with_suffix(".csv"), durable=True) as temporary:
        _write_csv(table, temporary)
    if provenance:
        text = json.dumps(provenance, sort_keys=True, ensure_ascii=False)
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), PROVENANCE: text.encode()})
    with atomic_write(file, durable=True) as temporary:
        parquet.write_table(table, temporary, compression="zstd")
    return file


def read_provenance(path: Path) -> dict[str, Any]:
    """Reads how an ingested manifest came to be; empty where its file says nothing.

    Args:
        path: The Parquet file, or its folder.

    Returns:
        `source`, `reader`, `version` (of the dataset), `options` (of the reader) and `labels`: the label policy, as
        `ages`, `age_cutoff`, `types`, `only` and `corrections`.

    Raises:
        ManifestError: If it can't be read as Parquet.
    """
    file = manifest_file(path)
    try:
        said = (parquet.read_schema(file).metadata or {}).get(PROVENANCE, b"{}")
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise ManifestError(f"cannot read {file} as a Parquet manifest: {str(error).splitlines()[0]}") from error
    provenance: dict[str, Any] = json.loads(said)
    return provenance


def _write_csv(table: arrow.Table, path: Path) -> None:
    """Writes a table as Arrow does, ten times as fast as pandas; texts are quoted only if any of them has to be."""
    with path.open("wb") as handle:
        handle.write((",".join(table.column_names) + "\n").encode())
        start = handle.tell()
        try:
            csv.write_csv(table, handle, csv.WriteOptions(include_header=False, quoting_style="none"))
        except arrow.ArrowInvalid:  # a comma, a quote or a line break in a text
            handle.seek(start)
            handle.truncate()
            csv.write_csv(table, handle, csv.WriteOptions(include_header=False, quoting_style="needed"))


def make_refusals(rows: Iterable[Refusal | Mapping[str, Any]]) -> pd.DataFrame:
    """Makes a valid table of refusals; `detail` may be left out.

    Raises:
        ManifestError: If a row lacks a column or names an unknown one.
    """
    records = [asdict(row) if isinstance(row, Refusal) else {"detail": "", **row} for row in rows]
    frame = pd.DataFrame.from_records(records, columns=None if records else list(REFUSAL_COLUMNS))
    return validate(frame, RefusalSchema, REFUSAL_COLUMNS, "table of refusals")


def read_refusals(path: Path) -> pd.DataFrame:
    """Reads refusals from their CSV, or from the folder of a manifest; no file means no refusals.

    Raises:
        ManifestError: If the file isn't a table of refusals.
    """
    file = path / REFUSALS if path.is_dir() else path
    if not file.exists():
        return make_refusals([])
    try:
        frame = pd.read_csv(file, dtype="str", keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ManifestError(f"cannot read {file} as a table of refusals: {error}") from error
    return validate(frame, RefusalSchema, REFUSAL_COLUMNS, "table of refusals")


def write_refusals(frame: pd.DataFrame, path: Path) -> Path:
    """Writes refusals as CSV, in the order given.

    Args:
        frame: A table of refusals.
        path: The CSV file, or a folder, which gets REFUSALS.

    Returns:
        The file's path.

    Raises:
        ManifestError: If the frame isn't a table of refusals.
        OutputError: If the file can't be written.
    """
    valid = validate(frame, RefusalSchema, REFUSAL_COLUMNS, "table of refusals")
    file = path if path.suffix == ".csv" else path / REFUSALS
    with atomic_write(file, durable=True) as temporary:
        valid.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")
    return file


def without_mask(frame: pd.DataFrame) -> pd.Series[bool]:
    """Says which rows show a face without a mask, as far as is known: one hides what faces are told by."""
    return frame["mask"].isna() | frame["mask"].eq("not_wear")


def summarise(frame: pd.DataFrame) -> dict[str, Any]:
    """Counts a manifest.

    Returns:
        `photos`, `variants`, `persons`, and for each of source, licence, label (by name), mask, gender, age_group and
        wear_style (of variants, those without a mask as `not_wear`) a dict of counts; what is missing is counted as
        `unknown`.
    """
    variants = frame["parent_id"].notna()
    summary: dict[str, Any] = {
        "photos": int((~variants).sum()),
        "variants": int(variants.sum()),
        "persons": int(frame["person_id"].nunique()),
    }
    for column in ("source", "licence", "mask", "gender", "age_group"):
        summary[column] = _counts(frame[column])
    bare = frame["mask"].where(frame["mask"].eq("not_wear"))
    summary["wear_style"] = _counts(frame["wear_style"].fillna(bare)[variants])
    counts = frame["label"].value_counts().sort_index()
    summary["label"] = {label_name(int(str(label))): int(count) for label, count in counts.items()}
    summary["unlabelled"] = int(frame["label"].isna().sum())
    return summary


def _counts(column: pd.Series[Any]) -> dict[str, int]:
    counts = column.astype("str").fillna("unknown").value_counts().sort_index()
    return {str(name): int(count) for name, count in counts.items()}

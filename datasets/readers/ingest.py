"""Ingesting: a source's folder read, its photos opened and hashed, the result one manifest and its refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from datasets.errors import LayoutError
from datasets.finding import check_folder
from datasets.inspecting import Inspected, inspect_photos
from datasets.licences import check_licence
from datasets.manifest import make_manifest, make_refusals, write_manifest, write_refusals
from datasets.placing import Photos, place
from datasets.readers.base import Listing, Record, check_options, get_reader
from datasets.refusals import Refusal
from datasets.workers import Progress


@dataclass(frozen=True)
class Ingested:
    """What a source gave.

    Attributes:
        manifest: Its photos, sorted by photo_id, `path` relative to `root`.
        refusals: What isn't used.
        root: The folder that was read.
    """

    manifest: pd.DataFrame
    refusals: pd.DataFrame
    root: Path


def ingest(
    source: str,
    root: Path,
    *,
    options: Mapping[str, Any] | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Ingested:
    """Reads a source's folder and opens every photo in it.

    Args:
        source: A reader's name; `list_readers` has them.
        root: The dataset's folder.
        options: The reader's own, besides `licence`: the id of the terms the photos come under, where the user knows
            better than the table (an owner's permission, say).
        workers: Processes that decode and hash; the result is the same for any number.
        progress: Told how many photos are done.

    Returns:
        The manifest and the refusals.

    Raises:
        UsageError: If the source or an option is unknown, or the folder isn't laid out as the source's is.
    """
    info, reader = get_reader(source)
    chosen = check_options(info, options or {})
    licence = check_licence(str(chosen["licence"])) if "licence" in chosen else None
    root = check_folder(Path(root))
    listing = reader(root, chosen)
    if not listing.records and not listing.refusals:
        raise LayoutError(f"no photos in {root}; {info.name} expects {info.expects}")
    inspected = inspect_photos([record.photo for record in listing.records], workers=workers, progress=progress)
    name = listing.source or info.name
    rows, refusals = [], [refusal.of_source(name) for refusal in listing.refusals]
    for record, result in zip(listing.records, inspected, strict=True):
        if isinstance(result, Refusal):
            refusals.append(result.of_source(name))
        else:
            rows.append(_row(record, result, name, licence, listing, info.licence))
    rows.sort(key=lambda row: str(row["photo_id"]))
    refusals.sort(key=lambda refusal: (refusal.photo_id, refusal.stage, refusal.reason, refusal.detail))
    return Ingested(make_manifest(rows), make_refusals(refusals), root)


def _row(
    record: Record, inspected: Inspected, source: str, licence: str | None, listing: Listing, default: str
) -> dict[str, Any]:
    relative = record.photo.relative
    return {
        "licence": default,
        **record.labels,
        **({"licence": licence} if licence else {}),
        "photo_id": f"{source}:{relative}",
        "path": relative,
        "sha256": inspected.sha256,
        "phash": inspected.phash,
        "width": inspected.width,
        "height": inspected.height,
        "source": source,
        "source_version": listing.version,
        "person_id": f"{source}:{record.person}",
    }


def save_ingest(ingested: Ingested, out: Path, photos: Photos = "auto") -> Path:
    """Writes what was ingested as a standard output folder.

    Args:
        ingested: From `ingest`.
        out: The folder to write to.
        photos: `auto` leaves the photos where they are if `out` contains them, and links them into `out/photos` if
            not; `link` and `copy` always put them there. A link is a hard link, a copy where that can't be.

    Returns:
        Path of the manifest, in which every path is inside `out`.

    Raises:
        OutputError: If something can't be written.
    """
    placed, refusals = place(ingested.manifest, [ingested.root] * len(ingested.manifest), out, photos, stage="save")
    write_refusals(pd.concat([ingested.refusals, refusals], ignore_index=True), out)
    return write_manifest(placed, out)

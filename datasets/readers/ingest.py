"""Ingesting: a source's folder read, its photos opened and hashed, the result one manifest and its refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd

from datasets.archives import is_archive
from datasets.corrections import PHOTO_FIELDS, Corrections, read_corrections
from datasets.errors import LayoutError
from datasets.finding import check_folder
from datasets.inspecting import Inspected, inspect_photos
from datasets.licences import check_licence
from datasets.manifest import make_manifest, make_refusals, write_manifest, write_refusals
from datasets.named_files import file_version, is_file
from datasets.placing import Photos, place
from datasets.policies import LabelPolicy, Policy
from datasets.readers.base import Listing, ReaderInfo, Record, check_options, get_reader
from datasets.refusals import Refusal, printable
from datasets.workers import Progress

_CORRECTIONS: Final = "corrections"
"""Name of the option of readers that set their labels right themselves."""


@dataclass(frozen=True)
class Ingested:
    """What a source gave.

    Attributes:
        manifest: Its photos, sorted by photo_id, `path` relative to `root`.
        refusals: What isn't used.
        root: The folder that was read.
        provenance: How it was read, as plain values: see `datasets.manifest.read_provenance`.
        codes: The source's own code of each photo's mask state, by photo_id; empty where it has none.
    """

    manifest: pd.DataFrame
    refusals: pd.DataFrame
    root: Path
    provenance: Mapping[str, Any] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the photos' bytes, by path relative to `root`."""
        return dict(zip(self.manifest["path"].tolist(), self.manifest["sha256"].tolist(), strict=True))


def ingest(
    source: str,
    root: Path,
    *,
    options: Mapping[str, Any] | None = None,
    policy: LabelPolicy | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Ingested:
    """Reads a source's folder and opens every photo in it.

    Args:
        source: A reader's name; `list_readers` has them.
        root: The dataset's folder.
        options: The reader's own, besides `licence`: the id of the terms the photos come under, where the user knows
            better than the table (an owner's permission, say).
        policy: How labels are read; photos that it leaves out aren't opened.
        workers: Processes that decode and hash; the result is the same for any number.
        progress: Told how many photos are done.

    Returns:
        The manifest and the refusals.

    Raises:
        UsageError: If the source or an option is unknown, or the folder isn't laid out as the source's is.
    """
    info, reader = get_reader(source)
    chosen = check_options(info, options or {})
    policy = policy or LabelPolicy()
    if _CORRECTIONS in chosen and policy.corrections is None:
        policy = replace(policy, corrections=Path(chosen[_CORRECTIONS]))
    settled = policy.resolve(info.name, info.ages, info.types)
    if settled.corrections and _CORRECTIONS in info.options:
        chosen[_CORRECTIONS] = settled.corrections
    licence = check_licence(str(chosen["licence"])) if "licence" in chosen else None
    root = check_folder(Path(root))
    listing = reader(root, chosen)
    if not listing.records and not listing.refusals:
        raise LayoutError(f"no photos in {root}; {info.name} expects {info.expects}")
    listing = _settle(replace(listing, refusals=listing.refusals + _unopened(root)), settled, info)
    inspected = inspect_photos([record.photo for record in listing.records], workers=workers, progress=progress)
    name = listing.source or info.name
    rows, refusals = [], [refusal.of_source(name) for refusal in listing.refusals]
    codes, note = {}, settled.note()
    for record, result in zip(listing.records, inspected, strict=True):
        if isinstance(result, Refusal):
            refusals.append(result.of_source(name))
        else:
            row = _row(record, result, name, {"licence": licence} if licence else {}, info.licence)
            row["source_version"] = _version(record.version or listing.version, note)
            rows.append(row)
            if record.code is not None:
                codes[str(row["photo_id"])] = record.code
    rows.sort(key=lambda row: str(row["photo_id"]))
    refusals.sort(key=lambda refusal: (refusal.photo_id, refusal.stage, refusal.reason, refusal.detail))
    provenance = _provenance(info, listing, settled, chosen)
    return Ingested(make_manifest(rows), make_refusals(refusals), root, provenance, codes)


def _unopened(root: Path) -> list[Refusal]:
    """Refuses archives that lie beside what is read: they may be parts that somebody thinks are read, too."""
    detail = "an archive beside the folder's own files isn't opened: unpack it there, or name it by itself"
    archives = sorted(path for path in root.iterdir() if is_archive(path))
    return [Refusal(printable(path.name), "find", "not_unpacked", detail) for path in archives]


def _settle(listing: Listing, policy: Policy, info: ReaderInfo) -> Listing:
    """Reads every label as the policy says, corrected where it is corrected; leaves out whom it leaves out."""
    corrections = Corrections()
    refusals = list(listing.refusals)
    if policy.corrections and _CORRECTIONS not in info.options:
        corrections = read_corrections(policy.corrections, PHOTO_FIELDS)
        refusals += corrections.unmatched({record.photo.relative: record.person for record in listing.records})
    records = []
    for record in listing.records:
        fixes = corrections.of(record.photo.relative, record.person).values
        labels = policy.labels(record.labels, record.code, fixes)
        why = policy.left_out(labels)
        if why is None:
            records.append(replace(record, labels=labels))
        else:
            refusals.append(Refusal(record.photo.relative, "labels", "left_out", why))
    return replace(listing, records=records, refusals=refusals)


def _version(version: str | None, note: str) -> str | None:
    """Returns a source's version with what the policy made of its labels; None where there is nothing to say."""
    return "; ".join(filter(None, (version, note))) or None


def _row(record: Record, inspected: Inspected, source: str, licence: Mapping[str, str], default: str) -> dict[str, Any]:
    relative = record.photo.relative
    return {
        "licence": default,
        **record.labels,
        **licence,
        "photo_id": f"{source}:{relative}",
        "path": relative,
        "sha256": inspected.sha256,
        "phash": inspected.phash,
        "width": inspected.width,
        "height": inspected.height,
        "source": source,
        "person_id": f"{source}:{record.person}",
    }


def _provenance(info: ReaderInfo, listing: Listing, policy: Policy, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns how a source was read, in plain values and without paths of this machine."""
    return {
        "source": listing.source or info.name,
        "reader": info.name,
        "version": listing.version,
        "options": {name: _plain(value) for name, value in sorted(options.items())},
        "labels": policy.facts(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, str | Path):
        return file_version(Path(value)) if is_file(value) else str(value)
    return value if isinstance(value, int | float | list) else str(value)


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
    return write_manifest(placed, out, provenance=ingested.provenance)

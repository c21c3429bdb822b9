"""Ingesting as a stage: archives opened, finished work reused, a sheet to look at for each of a source's own codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets.labels import MASK_STATES
from pipelines.contact_sheets import in_rows, photo_tile, save_sheet
from pipelines.errors import MissingInputError, SettingsError
from pipelines.reuse import (
    DONE,
    code_digest,
    file_digest,
    folder_digest,
    folder_stamp,
    forget,
    is_finished,
    key_of,
    mark_finished,
)
from pipelines.settings import SourceSettings
from pipelines.types import PhotoPlacing, ProgressCallback

if TYPE_CHECKING:
    from datasets.readers import Ingested
    from synth.sheet import Tile

UNPACKED = "unpacked"
SHEETS = "types"
"""Folder of the contact sheets of photos by the code that their dataset gives them, such as TYPE."""
SHEET_ROWS, SHEET_COLUMNS = 4, 6


def open_source(
    source: SourceSettings, out: Path, unpack_to: Path | None = None, progress: ProgressCallback | None = None
) -> SourceSettings:
    """Return the source with a folder for its root: archives are unpacked, unless they have been already.

    Args:
        source: The dataset.
        out: The stage's folder for this source.
        unpack_to: Where archives are unpacked; `unpacked` in `out` when not given.
        progress: Called with (megabytes of an archive done, megabytes in all).

    Raises:
        MissingInputError: There is neither a folder nor an archive.
        SettingsError: `out` is the folder of the archives, which would be one with a dataset in it afterwards.
        DatasetsError: The archive is damaged, or not safe to unpack, or there is no room for it.
    """
    from datasets.archives import open_root

    if not source.root.exists():
        raise MissingInputError(f"the folder of {source.source}, or an archive of it, is not there: {source.root}")
    root = open_root(source.root, unpack_to or out / UNPACKED, progress=progress)
    if root != source.root and out.resolve() == source.root.resolve():
        raise SettingsError(f"{out} is the folder of the archives: name another for the manifest")
    return source.model_copy(update={"root": root})


def ingest_into(
    source: SourceSettings, out: Path, *, workers: int, photos: PhotoPlacing, progress: ProgressCallback | None
) -> bool:
    """Read one dataset from its folder into `out`, or find that this has been done, every byte being the same.

    A first run reads each photo once: the hashes that tell a later run whether anything has changed are those that
    the manifest records.

    Args:
        source: The dataset, its root a folder.
        out: The stage's folder for this source.
        workers: Processes.
        photos: How photos get beside the manifest.
        progress: Called with (photos done, photos in all).

    Returns:
        Whether finished work was found.
    """
    from datasets.readers import ingest, save_ingest

    # Only where something is finished is every byte read to see if it is still the same.
    if (out / DONE).is_file():
        key = _key(source, out, photos, workers, progress=progress)
        if is_finished(out, key) and _photos_are_there(out):
            return True
    forget(out)
    before = _stamp(source, out)
    ingested = ingest(
        source.source,
        source.root,
        options=source.reader_options,
        policy=source.labels,
        workers=workers,
        progress=progress,
    )
    manifest = save_ingest(ingested, out, photos)
    sheets = write_sheets(ingested, out)
    # What changed meanwhile is in the key but not in the manifest: then the next run reads everything again.
    if _stamp(source, out) == before:
        key = _key(source, out, photos, workers, known=ingested.hashes)
        mark_finished(out, key, [manifest, out / "refusals.csv", *sheets])
    return False


def _stamp(source: SourceSettings, out: Path) -> str:
    """Return what tells that a file of the dataset, or one that an option names, has changed, without reading any."""
    return key_of(root=folder_stamp(source.root.resolve(), without=out.resolve()), files=_option_files(source))


def _option_files(source: SourceSettings) -> list[str]:
    """Return the digests of the files that options name."""
    from datasets.named_files import is_file

    given = [*source.reader_options.values(), source.labels.corrections]
    return sorted(file_digest(Path(value)) for value in given if isinstance(value, str | Path) and is_file(value))


def _key(
    source: SourceSettings,
    out: Path,
    photos: PhotoPlacing,
    workers: int,
    *,
    known: Mapping[str, str] | None = None,
    progress: ProgressCallback | None = None,
) -> str:
    root, below = source.root.resolve(), out.resolve()
    return key_of(
        stage="ingest",
        code=code_digest("datasets", "pipelines.ingesting", "pipelines.contact_sheets", "synth.sheet"),
        source=source.source,
        options=source.reader_options,
        labels=repr(source.labels),
        option_files=_option_files(source),
        placing=photos,
        root=folder_digest(root, known=known, without=below, threads=workers, progress=progress),
    )


def _photos_are_there(folder: Path) -> bool:
    from datasets.manifest import read_manifest

    return all((folder / str(path)).is_file() for path in read_manifest(folder)["path"])


def write_sheets(ingested: Ingested, out: Path) -> list[Path]:
    """Write, for each code that a source gives its photos, a contact sheet of some of them and what they are taken for.

    Whoever looks at them sees at once if the codes mean something else than the label policy says.

    Args:
        ingested: From `datasets.readers.ingest`.
        out: Gets a folder `types`; earlier sheets in it are replaced.

    Returns:
        The sheets, by code; none where the source has no codes.
    """
    from pipelines.report.sheets import spread

    for old in sheets_of(out):
        old.unlink()
    frame = ingested.manifest.assign(code=ingested.manifest["photo_id"].map(dict(ingested.codes)))
    sheets = []
    for code, part in frame[frame["code"].notna()].groupby("code"):
        state = str(part["mask"].mode().iloc[0])
        rows = spread(part, ["person_id"]).head(SHEET_ROWS * SHEET_COLUMNS).to_dict("records")
        tiles = [_tile(ingested.root / str(row["path"]), f"TYPE {code}: {row['mask']}", row) for row in rows]
        sheets.append(save_sheet(in_rows(tiles, SHEET_COLUMNS), out / SHEETS / f"type_{code}_{state}.jpg"))
    return sheets


def sheets_of(out: Path) -> list[Path]:
    """Return the sheets that lie in a stage's folder: nothing else that somebody keeps in a folder of that name."""
    named = re.compile(rf"type_.+_({'|'.join(MASK_STATES)})\.jpg")
    return sorted(path for path in (out / SHEETS).glob("type_*.jpg") if named.fullmatch(path.name))


def _tile(path: Path, title: str, row: Mapping[Any, Any]) -> Tile:
    import pandas as pd

    told = [str(row["gender"]) if pd.notna(row["gender"]) else "gender unknown"]
    told.append(f"{row['age']:.0f}" if pd.notna(row["age"]) else "age unknown")
    return photo_tile(path, title, ", ".join(told))

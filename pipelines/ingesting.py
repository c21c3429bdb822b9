"""Ingesting as a stage: archives opened, finished work reused, a sheet to look at for each of a source's own codes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.contact_sheets import in_rows, photo_tile, save_sheet
from pipelines.errors import MissingInputError
from pipelines.reuse import DONE, code_digest, file_digest, folder_digest, forget, is_finished, key_of, mark_finished
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
        DatasetsError: The archive is damaged, or not safe to unpack, or there is no room for it.
    """
    from datasets.archives import open_root

    if not source.root.exists():
        raise MissingInputError(f"the folder of {source.source} is not there: {source.root}")
    root = open_root(source.root, unpack_to or out / UNPACKED, progress=progress)
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
    key = _key(source, out, photos, workers, known=ingested.hashes)
    mark_finished(out, key, [manifest, out / "refusals.csv", *sheets])
    return False


def _key(
    source: SourceSettings,
    out: Path,
    photos: PhotoPlacing,
    workers: int,
    *,
    known: Mapping[str, str] | None = None,
    progress: ProgressCallback | None = None,
) -> str:
    given = [*source.reader_options.values(), source.labels.corrections]
    files = sorted(file_digest(Path(value)) for value in given if isinstance(value, str | Path) and _is_file(value))
    root, below = source.root.resolve(), out.resolve()
    return key_of(
        stage="ingest",
        code=code_digest("datasets"),
        source=source.source,
        options=source.reader_options,
        labels=repr(source.labels),
        option_files=files,
        placing=photos,
        root=folder_digest(root, known=known, without=below, threads=workers, progress=progress),
    )


def _is_file(value: str | Path) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):  # a text that can't be a file's name
        return False


def _photos_are_there(folder: Path) -> bool:
    from datasets.manifest import read_manifest

    return all((folder / str(path)).is_file() for path in read_manifest(folder)["path"])


def write_sheets(ingested: Ingested, out: Path) -> list[Path]:
    """Write, for each code that a source gives its photos, a contact sheet of some of them and what they are taken for.

    Whoever looks at them sees at once if the codes mean something else than the label policy says.

    Args:
        ingested: From `datasets.readers.ingest`.
        out: Gets a folder `types`, whose earlier sheets are replaced.

    Returns:
        The sheets, by code; none where the source has no codes.
    """
    from pipelines.report.sheets import spread

    shutil.rmtree(out / SHEETS, ignore_errors=True)
    frame = ingested.manifest.assign(code=ingested.manifest["photo_id"].map(dict(ingested.codes)))
    sheets = []
    for code, part in frame[frame["code"].notna()].groupby("code"):
        state = str(part["mask"].mode().iloc[0])
        rows = spread(part, ["person_id"]).head(SHEET_ROWS * SHEET_COLUMNS).to_dict("records")
        tiles = [_tile(ingested.root / str(row["path"]), f"TYPE {code}: {row['mask']}", row) for row in rows]
        sheets.append(save_sheet(in_rows(tiles, SHEET_COLUMNS), out / SHEETS / f"type_{code}_{state}.jpg"))
    return sheets


def _tile(path: Path, title: str, row: Mapping[Any, Any]) -> Tile:
    import pandas as pd

    told = [str(row["gender"]) if pd.notna(row["gender"]) else "gender unknown"]
    told.append(f"{row['age']:.0f}" if pd.notna(row["age"]) else "age unknown")
    return photo_tile(path, title, ", ".join(told))

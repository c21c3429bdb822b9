"""Ingesting as a stage: archives opened, finished work reused, a sheet to look at for each of a source's own codes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import MissingInputError
from pipelines.reuse import DONE, code_digest, file_digest, folder_digest, forget, is_finished, key_of, mark_finished
from pipelines.settings import SourceSettings
from pipelines.types import PhotoPlacing, ProgressCallback

if TYPE_CHECKING:
    from datasets.readers import Ingested

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
    from datasets.atomic import atomic_write
    from pipelines.report.sheets import spread
    from synth.sheet import Tile, contact_sheet

    shutil.rmtree(out / SHEETS, ignore_errors=True)
    frame = ingested.manifest.assign(code=ingested.manifest["photo_id"].map(dict(ingested.codes)))
    sheets = []
    for code, part in frame[frame["code"].notna()].groupby("code"):
        state = str(part["mask"].mode().iloc[0])
        rows = spread(part, ["person_id"]).head(SHEET_ROWS * SHEET_COLUMNS).to_dict("records")
        tiles = [_tile(ingested.root / str(row["path"]), f"TYPE {code}: {row['mask']}", row) for row in rows]
        lines: Iterable[list[Tile]] = (tiles[at : at + SHEET_COLUMNS] for at in range(0, len(tiles), SHEET_COLUMNS))
        sheets.append(out / SHEETS / f"type_{code}_{state}.jpg")
        with atomic_write(sheets[-1]) as temporary:
            contact_sheet(list(lines)).save(temporary, format="JPEG", quality=88)
    return sheets


def _tile(path: Path, title: str, row: dict[Any, Any]) -> Any:
    import pandas as pd
    from PIL import Image

    from datasets.errors import PhotoError
    from datasets.photos import read_photo
    from synth.sheet import TILE, Tile

    told = [str(row["gender"]) if pd.notna(row["gender"]) else "gender unknown"]
    told.append(f"{row['age']:.0f}" if pd.notna(row["age"]) else "age unknown")
    try:
        picture: Path | Image.Image = Image.fromarray(read_photo(path, max_side=2 * max(TILE)).rgb)
    except PhotoError:  # it was there a moment ago
        picture = path
    return Tile(picture, title, ", ".join(told))

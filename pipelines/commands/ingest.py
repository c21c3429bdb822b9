"""`palette ingest`: one dataset, as it lies on disk, into a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.commands.options import JsonOption, LicenceOption, PhotosOption, WorkersOption


def ingest(
    source: Annotated[str, typer.Argument(help="Which reader: competition, all-age-faces, folder, ...")],
    root: Annotated[Path, typer.Argument(metavar="DIR", help="The folder the dataset lies in.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the manifest (or the .parquet file in it).")],
    licence: LicenceOption = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option of the reader as key=value, such as csv=labels.csv; repeatable."),
    ] = None,
    photos: PhotosOption = "auto",
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Read a dataset into a manifest; what can't be read is listed in refusals.csv."""
    from pipelines.executors import worker_count
    from pipelines.progress import progress_bar
    from pipelines.settings import SourceSettings
    from pipelines.stages import ingest_stage
    from pipelines.summary import show_summary

    settings = SourceSettings(source=source, root=root, licence=licence, options=_options(option or []))
    with progress_bar(f"ingesting {source}") as progress:
        result = ingest_stage(
            settings, out_folder(out), workers=worker_count(workers), photos=photos, progress=progress
        )
    show_summary(
        f"Ingested {source}", {"manifest": result.manifest, "reused": result.reused, **result.summary}, as_json=as_json
    )


def out_folder(out: Path) -> Path:
    """Return the folder to write to: the manifest always has the same name in it.

    Raises:
        SettingsError: A Parquet file of another name is asked for.
    """
    from pipelines.errors import SettingsError

    if out.suffix != ".parquet":
        return out
    if out.name != "manifest.parquet":
        raise SettingsError(f"expected a folder, or a path ending in manifest.parquet, got {out}")
    return out.parent


def _options(given: list[str]) -> dict[str, Any]:
    from pipelines.settings import with_assignments

    return with_assignments({}, given)

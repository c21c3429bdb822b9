"""`palette ingest`: one dataset, as it lies on disk, into a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from datasets.policies import LabelPolicy
from pipelines.commands.options import JsonOption, LicenceOption, PhotosOption, WorkersOption, options_from

Given = TypeVar("Given")


@options_from(LabelPolicy, "labels")
def ingest(
    labels: LabelPolicy,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Which reader: competition, medical-masks, ...; see --list.")
    ] = None,
    root: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The folder the dataset lies in, or an archive of it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the manifest (or the .parquet file in it).")
    ] = None,
    licence: LicenceOption = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option of the reader as key=value, such as csv=labels.csv; repeatable."),
    ] = None,
    unpack_to: Annotated[
        Path | None,
        typer.Option("--unpack-to", metavar="DIR", help="Where archives are unpacked. [default: OUT/unpacked]"),
    ] = None,
    photos: PhotosOption = "auto",
    workers: WorkersOption = 0,
    list_sources: Annotated[
        bool, typer.Option("--list", help="Say what each source is, expects on disk and lacks, and stop.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read a dataset into a manifest; what can't be read is listed in refusals.csv."""
    from pipelines.executors import worker_count
    from pipelines.ingesting import open_source
    from pipelines.progress import progress_bar
    from pipelines.settings import SourceSettings
    from pipelines.stages import ingest_opened
    from pipelines.summary import show_summary

    if list_sources:
        show_summary("Sources", describe_sources(), as_json=as_json)
        return
    name, place, folder = _given(source, "SOURCE"), _given(root, "DIR"), out_folder(_given(out, "--out"))
    settings = SourceSettings(source=name, root=place, licence=licence, options=_options(option or []), labels=labels)
    with progress_bar(f"unpacking {place.name}", "MB") as unpacking:
        opened = open_source(settings, folder, unpack_to, unpacking)
    with progress_bar(f"ingesting {name}") as progress:
        result = ingest_opened(opened, folder, workers=worker_count(workers), photos=photos, progress=progress)
    show_summary(
        f"Ingested {name}", {"manifest": result.manifest, "reused": result.reused, **result.summary}, as_json=as_json
    )


def _given(value: Given | None, name: str) -> Given:
    if value is None:
        raise typer.BadParameter("it is missing; palette ingest --list shows the sources", param_hint=name)
    return value


def describe_sources() -> dict[str, dict[str, Any]]:
    """Return what each source is, by name: where it is published, what it expects on disk, its terms, what it lacks."""
    from datasets.licences import find_licence
    from datasets.readers import list_readers

    told = {}
    for info in list_readers():
        licence = find_licence(info.licence)
        said = {
            "published at": info.home,
            "holds": info.published,
            "expects on disk": info.expects,
            "licence": f"{licence.id}: {licence.name} ({licence.kind.replace('_', ' ')})",
            "lacks": info.lacks,
            "ages believed": f"{info.ages[0]} to {info.ages[1]}",
            "TYPEs": ", ".join(f"{code}={state}" for code, state in info.types.items()) or None,
            "options": "; ".join(f"{name}: {meaning}" for name, meaning in info.options.items()) or None,
        }
        told[info.name] = {what: value for what, value in said.items() if value}
    return told


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

"""`palette export`: a manifest and its photos in a form that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption


def export(
    manifest: Annotated[Path, typer.Argument(help="The manifest, or its folder.")],
    out: Annotated[Path, typer.Argument(help="Folder to write to: empty, or of an earlier export, which is replaced.")],
    form: Annotated[
        str,
        typer.Option(help="imagefolder (Hugging Face: metadata.csv and README.md) or croissant (1.0, croissant.json)."),
    ] = "imagefolder",
    validation_fold: Annotated[
        int | None, typer.Option(min=0, help="The fold that becomes the split validation; all is train without it.")
    ] = None,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the photos instead of linking them.")] = False,
    name: Annotated[str, typer.Option(help="What the dataset is called.")] = "Palette dataset",
    url: Annotated[
        str | None, typer.Option(help="Of its page on the web. Croissant's alone, which asks for it.")
    ] = None,
    creator: Annotated[str | None, typer.Option(help="Who made it. Croissant's alone, which asks for it.")] = None,
    published: Annotated[
        str | None, typer.Option(help="When, YYYY-MM-DD. Croissant's alone, which asks for it.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="MAJOR.MINOR.PATCH. Croissant's alone; 1.0.0 without it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Export a manifest and its photos, with its data card, as an imagefolder or a Croissant dataset."""
    from datasets.errors import UsageError
    from datasets.exporting import About
    from datasets.exporting import export as write
    from pipelines.stages import count_reasons
    from pipelines.summary import show_summary

    given = {"url": url, "creator": creator, "published": published, "version": version}
    of_croissant = {option: value for option, value in given.items() if value is not None}
    if of_croissant and form == "imagefolder":
        told = ", ".join(f"--{option}" for option in of_croissant)
        raise UsageError(f"an imagefolder has no place for {told}: leave it out, or give --form croissant")
    about = About(name=name, **of_croissant)
    made = write(manifest, out, form=form, validation_fold=validation_fold, copy=copy, about=about)
    summary = {"folder": made.folder, "form": form, "splits": dict(made.splits)}
    if made.missing:
        options = (f"--{name.removeprefix('date').lower()}" for name in made.missing)
        summary["to_publish_it"] = f"Croissant requires {', '.join(made.missing)} as well: {', '.join(options)}"
    show_summary("Exported", {**summary, "refusals": count_reasons(made.refusals)}, as_json=as_json)

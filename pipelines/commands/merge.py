"""`palette merge`: any number of manifests into one, under named rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption, PhotosOption


def merge(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests, or their folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the merged manifest.")],
    rules: Annotated[
        str,
        typer.Option(
            help="Which licences are admitted: competition, research, commercial or publishing; palette licences tells."
        ),
    ] = "competition",
    folds: Annotated[int, typer.Option(min=2, max=50, help="Folds; all photos of a person share one.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the folds.")] = 0,
    photos: PhotosOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Merge manifests into one, with person-wise folds; what the rules exclude is listed."""
    from datasets.manifest import manifest_file
    from pipelines.commands.ingest import out_folder
    from pipelines.errors import PipelinesError, SettingsError
    from pipelines.stages import merge_stage
    from pipelines.summary import show_summary

    folder = out_folder(out)
    if folder.resolve() in {manifest_file(given).resolve().parent for given in manifests}:
        raise SettingsError(f"{out} is one of the manifests to merge: it would be replaced; choose another folder")
    result = merge_stage(manifests, folder, rules=rules, folds=folds, seed=seed, photos=photos)
    show_summary("Merged", {"manifest": result.manifest, "rules": rules, **result.summary}, as_json=as_json)
    if not result.summary["photos"] and not result.summary["variants"]:
        raise PipelinesError(
            f"nothing is left after merging; {result.manifest.parent / 'refusals.csv'} says why of each"
        )

"""`palette merge`: any number of manifests into one, under named rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption, PhotosOption
from pipelines.types import ConflictRule

DuplicatesOption = Annotated[
    list[Path] | None,
    typer.Option("--duplicates", help="Table that palette duplicates wrote, or its folder. Repeatable."),
]
EvaluationOption = Annotated[
    list[Path] | None,
    typer.Option("--evaluation", help="Manifest of an evaluation set: its people are kept out. Repeatable."),
]
KeepFoldsOption = Annotated[
    list[Path] | None,
    typer.Option("--keep-folds", help="Merged manifest whose people keep their folds; the one in OUT does anyhow."),
]


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
    duplicates: DuplicatesOption = None,
    evaluation: EvaluationOption = None,
    keep_folds: KeepFoldsOption = None,
    deal_anew: Annotated[bool, typer.Option("--deal-anew", help="Forget the folds of the merge that is there.")] = (
        False
    ),
    conflicts: Annotated[
        ConflictRule,
        typer.Option(help="Duplicates whose labels contradict each other: keep the best one, or drop all."),
    ] = "keep",
    photos: PhotosOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Merge manifests into one, with person-wise folds; what the rules exclude is listed."""
    from datasets.manifest import manifest_file
    from datasets.merge import MergeOptions
    from pipelines.commands.ingest import out_folder
    from pipelines.errors import PipelinesError, SettingsError
    from pipelines.progress import progress_bar
    from pipelines.stages import merge_stage
    from pipelines.summary import show_summary

    folder = out_folder(out)
    if folder.resolve() in {manifest_file(given).resolve().parent for given in manifests}:
        raise SettingsError(f"{out} is one of the manifests to merge: it would be replaced; choose another folder")
    options = MergeOptions(
        duplicates or (), evaluation or (), keep_folds or (), deal_anew=deal_anew, conflicts=conflicts
    )
    with progress_bar("merging", "steps") as progress:
        result = merge_stage(
            manifests,
            folder,
            rules=rules,
            folds=folds,
            seed=seed,
            photos=photos,
            options=options,
            progress=progress,
        )
    show_summary("Merged", {"manifest": result.manifest, "rules": rules, **result.summary}, as_json=as_json)
    if not result.summary["photos"] and not result.summary["variants"]:
        raise PipelinesError(
            f"nothing is left after merging; {result.manifest.parent / 'refusals.csv'} says why of each"
        )

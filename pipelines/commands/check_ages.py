"""`palette check-ages`: ages that the faces contradict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption, PhotosOption, WorkersOption


def check_ages(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests, or their folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; each manifest goes to a folder of its own in it.")],
    seed: Annotated[int, typer.Option(min=0)] = 0,
    photos: PhotosOption = "auto",
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Say how sure each given age group is, judged by the faces of everyone else in these manifests.

    Labels stay as they are: the new manifests' age_confidence says how sure they are, ages.csv which are doubtful, and
    doubtful.jpg shows them. The train option --age-confidence keeps unsure ages from the age head.
    """
    from pipelines.age_check import CheckAgesOptions, check_ages_stage
    from pipelines.executors import worker_count
    from pipelines.progress import progress_bar
    from pipelines.rewriting import name_manifests
    from pipelines.summary import show_summary

    options = CheckAgesOptions(seed, worker_count(workers), photos)
    with progress_bar("embedding faces") as progress:
        result = check_ages_stage(name_manifests(manifests), out, options, progress=progress)
    files = {"manifests": result.manifests, "table": result.table, "sheet": result.sheet}
    show_summary("Ages", {**files, **result.report}, as_json=as_json)

"""`palette duplicates`: photos that show the same picture, or the same person, in one manifest or across several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption, WorkersOption
from pipelines.duplicates import SAME_PERSON


def duplicates(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests, or their folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for duplicates.csv and what is cached.")],
    people: Annotated[
        bool, typer.Option("--people", help="Look for the same people in other pictures too, by their faces.")
    ] = False,
    distance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Between faces, up to which two people are taken for one.")
    ] = SAME_PERSON,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Find copies of photos: the same file, or the picture re-encoded, resized, cropped or mirrored.

    Give the folder to palette merge --duplicates. Name evaluation sets here as well, so that merge --evaluation knows
    copies of their photos too.
    """
    from pipelines.duplicates import DuplicatesOptions, duplicates_stage
    from pipelines.executors import worker_count
    from pipelines.progress import progress_bar
    from pipelines.summary import show_summary

    options = DuplicatesOptions(people, distance, worker_count(workers))
    with progress_bar("looking for duplicates", "steps") as progress:
        result = duplicates_stage(manifests, out, options, progress=progress)
    show_summary("Duplicates", {"table": result.table, **result.summary}, as_json=as_json)

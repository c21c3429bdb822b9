"""`palette train`: a classifier from a merged manifest."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from models.settings import TrainSettings
from pipelines.commands.options import JsonOption, options_from


@options_from(TrainSettings)
def train(
    manifest: Annotated[Path, typer.Argument(help="The merged manifest, or its folder.")],
    settings: TrainSettings,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoint, metrics and plots.")] = Path(
        "out/train"
    ),
    show_batch: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write a sheet (PNG or JPEG) of one batch as the network sees it, and train nothing."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a classifier and score it on people it hasn't seen."""
    from pipelines.batch_sheet import show_batch as write_batch
    from pipelines.brief import brief_training
    from pipelines.progress import progress_bar
    from pipelines.settings import TrainFlowSettings
    from pipelines.stages import train_stage
    from pipelines.summary import show_summary
    from pipelines.training_photos import prepare_photos

    if show_batch is not None:
        settings = replace(settings, cache=None)  # one batch is no reason to pack them all
    given = TrainFlowSettings(manifest=manifest, out=out, training=settings)
    prepare_photos(given, bars=progress_bar, tell=partial(typer.echo, err=True))
    if show_batch is not None:
        show_summary("Batch", write_batch(given, show_batch), as_json=as_json)
        return
    with progress_bar("training", unit="photos") as progress:
        result = train_stage(given, progress=progress)
    show_summary("Trained", result if as_json else brief_training(result), as_json=as_json)

"""`palette train`: a classifier from a merged manifest."""

from __future__ import annotations

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
    as_json: JsonOption = False,
) -> None:
    """Train a classifier and score it on people it hasn't seen."""
    from pipelines.brief import brief_training
    from pipelines.progress import progress_bar
    from pipelines.settings import TrainFlowSettings
    from pipelines.stages import train_stage
    from pipelines.summary import show_summary

    with progress_bar("training", unit="photos") as progress:
        result = train_stage(TrainFlowSettings(manifest=manifest, out=out, training=settings), progress=progress)
    show_summary("Trained", result if as_json else brief_training(result), as_json=as_json)

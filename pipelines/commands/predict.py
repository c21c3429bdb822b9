"""`palette predict`: a submission for an eval folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from models.settings import Device
from pipelines.commands.options import JsonOption


def predict(
    checkpoint: Annotated[Path, typer.Argument(help="model.safetensors, or the folder that training wrote.")],
    eval_dir: Annotated[Path, typer.Argument(metavar="EVAL", help="Folder with info.csv and images/.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The submission to write.")] = Path("submission.csv"),
    device: Annotated[Device, typer.Option(help="auto takes a GPU when there is one.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Answer every row of info.csv: one of the 18 classes a photo."""
    from pipelines.progress import progress_bar
    from pipelines.stages import predict_stage
    from pipelines.summary import show_summary

    with progress_bar("predicting") as progress:
        summary = predict_stage(checkpoint, eval_dir, out, device=device, progress=progress)
    show_summary("Predicted", summary, as_json=as_json)

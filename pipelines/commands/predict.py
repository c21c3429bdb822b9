"""`palette predict`: a submission for an eval folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import BatchOption, DeviceOption, JsonOption, ReadersOption, RunArgument, TtaOption


def predict(
    run: RunArgument,
    eval_dir: Annotated[Path, typer.Argument(metavar="EVAL", help="Folder with info.csv and images/.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The submission to write.")] = Path("submission.csv"),
    tta: TtaOption = "none",
    chances: Annotated[
        Path | None, typer.Option(help="Also write the chances of classes and heads: a .csv or .parquet file.")
    ] = None,
    device: DeviceOption = "auto",
    batch_size: BatchOption = 64,
    workers: ReadersOption = -1,
    as_json: JsonOption = False,
) -> None:
    """Answer every row of info.csv: one of the 18 classes a photo.

    The folds of a run and the members of a team answer together. Photos that can't be read are answered with the
    commonest class of training and listed in submission.refusals.csv; a name that is there twice is answered twice.
    """
    from pipelines.progress import progress_bar
    from pipelines.stages import predict_stage
    from pipelines.summary import show_summary

    with progress_bar("predicting") as progress:
        summary = predict_stage(
            run,
            eval_dir,
            out,
            device=device,
            progress=progress,
            tta=tta,
            chances=chances,
            batch_size=batch_size,
            workers=workers,
        )
    show_summary("Predicted", summary, as_json=as_json)

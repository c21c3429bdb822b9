"""`palette score`: how good answers are, and where they err."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from models.settings import Device
from pipelines.commands.options import JsonOption

if TYPE_CHECKING:
    from models.breakdowns import Figure, Part
    from pipelines.scoring import ScoreResult


def score(
    what: Annotated[
        Path, typer.Argument(help="A run or team (by its oof.parquet), a checkpoint, or a submission.csv.")
    ],
    against: Annotated[
        Path | None,
        typer.Argument(
            help="The manifest: of a checkpoint needed, of a run for more detail. Or a CSV of true classes."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the page, JSON, plots and worst.jpg.")] = Path(
        "out/score"
    ),
    fold: Annotated[
        int | None, typer.Option(min=0, help="Of the manifest, to ask a checkpoint about; else the one it held out.")
    ] = None,
    title: Annotated[str, typer.Option(help="The page's heading.")] = "Score",
    device: Annotated[Device, typer.Option(help="auto takes a GPU when there is one.")] = "auto",
    workers: Annotated[int, typer.Option(min=-1, help="Processes that read photos; -1 chooses.")] = -1,
    as_json: JsonOption = False,
) -> None:
    """Score answers: by class and head, by source, age and mask, with intervals, calibration and the worst photos."""
    from pipelines.progress import progress_bar
    from pipelines.scoring import score_stage
    from pipelines.scoring.page import to_json
    from pipelines.summary import show_summary

    with progress_bar("asking") as progress:
        result = score_stage(
            what, against, out, fold=fold, title=title, device=device, workers=workers, progress=progress
        )
    files = {"page": result.page, "json": result.json, "worst": result.worst}
    if as_json:
        show_summary("Score", {**files, **to_json(result.scored, result.figures)}, as_json=True)
        return
    show_summary("Score", {**files, **_brief(result)})
    _show_parts(result)


def _brief(result: ScoreResult) -> dict[str, Any]:
    figures, label = result.figures, result.figures.scores.label
    brief: dict[str, Any] = {"scored": result.scored.said, "photos": figures.whole.rows, "people": figures.whole.people}
    if label.rows:
        brief |= {
            "macro_f1_of_18_classes": label.macro_f1,
            "macro_f1_of_classes_present": _told(figures.whole.macro_f1),
            "accuracy": _told(figures.whole.accuracy),
        }
    brief |= {f"macro_f1_of_{name}": _told(each) for name, each in figures.whole.heads.items()}
    brief |= {f"calibration_error_of_{name}": each["error"] for name, each in figures.calibration.items()}
    if result.scored.notes:
        brief["notes"] = " ".join(result.scored.notes)
    if label.rows:
        brief["f1_by_class"] = {
            f"{name} ({int(count)})": float(f1)
            for name, f1, count in zip(label.names, label.f1, label.confusion.sum(axis=1), strict=True)
        }
    return brief


def _show_parts(result: ScoreResult) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipelines.scoring.figures import DIMENSIONS
    from pipelines.summary import output_console

    console = output_console()
    for dimension, parts in result.figures.parts.items():
        table = Table(title=DIMENSIONS[dimension], title_justify="left", title_style="bold")
        table.add_column("", style="cyan", overflow="fold")
        for name in ("photos", "people", "macro F1", "accuracy", "mask", "gender", "age group"):
            table.add_column(name, justify="right")
        for part in parts:
            table.add_row(escape(part.name), *_cells(part))
        console.print(table)


def _cells(part: Part) -> list[str]:
    from rich.markup import escape

    heads = [part.heads.get(name) for name in ("mask", "gender", "age_group")]
    figures = [part.macro_f1, part.accuracy, *heads]
    return [f"{part.rows:,}", f"{part.people:,}", *(escape(_told(each)) for each in figures)]


def _told(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    spread = "" if figure.low is None else f" [{figure.low:.3f}, {figure.high:.3f}]"
    return f"{figure.value:.3f}{spread}"

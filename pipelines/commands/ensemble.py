"""`palette ensemble`: several runs as one team."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipelines.commands.options import JsonOption

if TYPE_CHECKING:
    from pipelines.ensembling import EnsembleResult

How = Literal["auto", "mean", "weighted", "stacking"]


def ensemble(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that palette train --folds wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the team.")],
    how: Annotated[
        How, typer.Option(help="auto takes what is best on folds that it was not fitted on; the simplest of equals.")
    ] = "auto",
    cutoffs: Annotated[
        bool, typer.Option("--cutoffs/--no-cutoffs", help="Fit cut-offs too, and keep them if they are a gain.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Make one team of several runs, by what they say of people that they have not seen.

    The runs must be of the same manifest and folds. What is fitted is judged on folds it was not fitted on. Runs of
    some heads make a team too: weights are then fitted where several answer the same, while stacking needs runs that
    each answer all. The team predicts like any run: palette predict TEAM.
    """
    from pipelines.ensembling import ensemble_stage
    from pipelines.summary import show_summary

    result = ensemble_stage(runs, out, how=how, cutoffs=cutoffs)
    if as_json:
        show_summary("Ensemble", {"team": result.team, **result.figures}, as_json=True)
        return
    _show(result)
    whole = not _partial(result.figures["ensembles"][result.figures["chosen"]])
    answered = "macro_f1_of_18_classes" if whole else "macro_f1_of_its_heads"
    brief: dict[str, Any] = {"team": result.team, answered: result.figures["macro_f1"]}
    cut = result.figures["cutoffs"]
    if cut is not None:
        kept = cut["kept"]
        brief["macro_f1_with_cut_offs"] = cut["nested"][kept] if kept else None
        brief["cut_offs"] = f"on {kept}, {cut['gain']:+.4f} on folds they were not fitted on" if kept else "no gain"
    show_summary("Team", brief)


def _show(result: EnsembleResult) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipelines.summary import output_console

    table = Table(title="Out of fold", title_justify="left", title_style="bold", min_width=11)
    table.add_column("", style="cyan", overflow="fold")
    for name in ("share", "macro F1", "log loss"):
        table.add_column(name, justify="right")
    shares = result.shares or {}
    for name, each in result.figures["members"].items():
        share = f"{shares[name]:.2f}" if name in shares else "-"
        table.add_row(escape(name), share, *_two(each))
    table.add_section()
    chosen = result.figures["chosen"]
    for name, each in result.figures["ensembles"].items():
        table.add_row(name.replace("_", ", ") + (" (chosen)" if name == chosen else ""), "", *_two(each))
    output_console().print(table)


def _two(each: dict[str, Any]) -> tuple[str, str]:
    """Macro F1, of which heads where it isn't of the classes, and log loss."""
    loss, heads = each["log_loss"], f" ({', '.join(each['heads'])})" if _partial(each) else ""
    return f"{each['macro_f1']:.4f}{heads}", "-" if loss is None else f"{loss:.4f}"


def _partial(each: dict[str, Any]) -> bool:
    """Whether what made these figures answers only some heads."""
    from models.heads import HEADS

    return len(each["heads"]) < len(HEADS)

"""`palette train`: a classifier from a merged manifest."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from models.recipes import RECIPES, settings_of
from models.settings import TrainSettings
from pipelines.commands.options import JsonOption, options_from

_RECIPE_HELP = "A named recipe of settings, see --list; several combine, the later decides, other options stand above."


def _list_recipes(asked: bool) -> None:
    """Print the recipes and end."""
    if not asked:
        return
    from rich.table import Table

    from pipelines.summary import output_console

    table = Table("recipe", "kind", "what it does", "settings", title="Recipes of palette train")
    kind = ""
    for recipe in RECIPES.values():
        if kind and recipe.kind != kind:
            table.add_section()
        told = f"{recipe.about}\n[dim]{recipe.source}[/dim]" if recipe.source else recipe.about
        settings = "\n".join(f"{name} = {value}" for name, value in recipe.settings.items())
        table.add_row(recipe.name, "" if recipe.kind == kind else recipe.kind, told, settings)
        kind = recipe.kind
    output_console().print(table)
    raise typer.Exit


@options_from(TrainSettings, presets=("recipe", settings_of))
def train(
    manifest: Annotated[Path, typer.Argument(help="The merged manifest, or its folder.")],
    settings: TrainSettings,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for checkpoint, metrics and plots.")] = Path(
        "out/train"
    ),
    recipe: Annotated[list[str] | None, typer.Option("--recipe", "-r", help=_RECIPE_HELP)] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Show the recipes and end.", is_eager=True, callback=_list_recipes)
    ] = False,
    folds: Annotated[
        str | None,
        typer.Option(help="Hold out each of these folds in turn, a model a fold: all, or numbers with commas."),
    ] = None,
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
    from pipelines.processes import rank
    from pipelines.progress import progress_bar
    from pipelines.settings import TrainFlowSettings
    from pipelines.stages import train_stage
    from pipelines.summary import show_summary
    from pipelines.training_photos import prepare_photos

    if show_batch is not None:
        settings = replace(settings, cache=None)  # one batch is no reason to pack them all
    given = TrainFlowSettings(manifest=manifest, out=out, training=settings, folds=folds)
    prepare_photos(given, bars=progress_bar, tell=partial(typer.echo, err=True))
    if show_batch is not None:
        show_summary("Batch", write_batch(given, show_batch), as_json=as_json)
        return
    with progress_bar("training", unit="photos") as progress:
        result = train_stage(given, progress=progress)
    if rank() == 0:
        show_summary("Trained", result if as_json else brief_training(result), as_json=as_json)

"""`palette classify`: what a classifier says of single photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.options import BatchOption, DeviceOption, JsonOption, ReadersOption, TtaOption

if TYPE_CHECKING:
    from rich.table import Table

    from pipelines.classifying import Classified


def classify(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO...", help="Photos, or folders of them.")],
    run: Annotated[
        Path,
        typer.Option("--run", "-r", help="Folder that palette train or palette ensemble wrote, a checkpoint or .onnx."),
    ] = Path("out/train"),
    tta: TtaOption = "none",
    device: DeviceOption = "auto",
    batch_size: BatchOption = 64,
    workers: ReadersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Say of each photo how a mask is worn, the gender and the age group, and how sure that is.

    A photo that can't be read is named at the end, and the exit code is then 1.
    """
    from pipelines.classifying import classify as ask
    from pipelines.progress import progress_bar
    from pipelines.summary import output_console, show_summary

    with progress_bar("classifying") as progress:
        said = ask(run, photos, device=device, tta=tta, batch_size=batch_size, workers=workers, progress=progress)
    if as_json:
        refused = [{"photo": each.photo_id, "reason": each.reason, "detail": each.detail} for each in said.refusals]
        show_summary("Classified", {"photos": list(said.photos), "refusals": refused}, as_json=True)
    else:
        output_console().print(classified_table(said))
        for each in said.refusals:
            typer.echo(f"refused: {each.photo_id}: {each.reason}: {each.detail}", err=True)
    if said.refusals:
        raise typer.Exit(1)


def classified_table(said: Classified) -> Table:
    """One line a photo: the word of each head with its chance, the chance of the class, and years if there are any."""
    from rich.markup import escape
    from rich.table import Table

    heads = [head for head in ("mask", "gender", "age_group") if any(head in photo for photo in said.photos)]
    years = any("years" in photo for photo in said.photos)
    table = Table("photo", *(head.replace("_", " ") for head in heads))
    for name in ("class", "its chance", *(["years"] if years else [])):
        table.add_column(name, justify="right")
    for photo in said.photos:
        chances = photo["chances"]
        cells = [f"{photo[head]} {chances[head][photo[head]]:.0%}" for head in heads]
        sure = "-" if photo["label"] is None else f"{chances['class'][photo['class']]:.0%}"
        cells += ["-" if photo["label"] is None else str(photo["label"]), sure]
        cells += [f"{photo['years']:.0f}"] if years else []
        table.add_row(escape(photo["photo"]), *cells)
    return table

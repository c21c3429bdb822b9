"""`palette demo`: the whole house on people drawn by code, or the mask engine on the user's own photos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption, WorkersOption


def demo(
    photos: Annotated[
        Path | None,
        typer.Option(envvar="PHOTOS", help="A folder of your own photos: only put masks on them, learn nothing."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where everything goes.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(min=0, help="Of the people drawn, their masks and the training.")] = 0,
    workers: WorkersOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Draw sample people, put masks on them, merge, train, predict and score: a few minutes on two cores."""
    if photos is not None:
        from pipelines.commands.mask import mask

        mask(photos, out / "masked", seed=seed, workers=workers, as_json=as_json)
        return
    from pipelines.demo import run_demo
    from pipelines.interrupts import leaving_soon
    from pipelines.summary import show_summary

    with leaving_soon():
        result = run_demo(out, seed=seed, workers=workers)
    show_summary("Demo", result, as_json=as_json)

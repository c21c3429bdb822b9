"""`palette run`: a flow, here and now, with no set-up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption


def run(
    flow: Annotated[str, typer.Argument(help="synth-flow or train-flow.")],
    settings: Annotated[
        Path | None, typer.Option("--settings", "-s", help="A .toml or .json file; without one the defaults hold.")
    ] = None,
    assign: Annotated[
        list[str] | None,
        typer.Option("--set", help="One setting as key=value, such as training.epochs=3; repeatable, wins."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a Prefect flow in this process; a server is started for it unless PREFECT_API_URL names one.

    With no settings, synth-flow draws sample people and works on them in ./out.
    """
    from pipelines.brief import brief
    from pipelines.interrupts import leaving_soon
    from pipelines.running import run_flow
    from pipelines.summary import show_summary

    with leaving_soon():
        result = run_flow(flow, settings, assign or [])
    show_summary(flow, result if as_json else brief(result), as_json=as_json)

"""`palette fetch`: a dataset's archives from where its owner publishes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption


def fetch(
    source: Annotated[str, typer.Argument(help="Which dataset, such as medical-masks; see palette ingest --list.")],
    part: Annotated[
        list[int] | None, typer.Option("--part", help="Number of a part, for sets that come in parts; repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where it goes. [default: data/SOURCE]")
    ] = None,
    hand: Annotated[bool, typer.Option("--by-hand", help="Only say how to do it by hand.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Download a dataset with Kaggle's own client; where that can't be, say what to download by hand."""
    from datasets.readers import get_reader
    from pipelines.errors import PipelinesError
    from pipelines.fetching import by_hand, hindrance, plan_downloads, process_environment
    from pipelines.fetching import fetch as fetch_one
    from pipelines.summary import show_summary

    info, _ = get_reader(source)
    folder = out or Path("data") / source
    downloads = plan_downloads(info, part or [], folder)
    environment = process_environment()
    why = hindrance(environment, Path.home()) if downloads else f"{source} isn't on Kaggle"
    if hand or why:
        text = by_hand(info, downloads, folder)
        if as_json:
            show_summary("", {"fetched": [], "by_hand": text, "why": why or None}, as_json=True)
        else:
            typer.echo(text)
        if hand:
            return
        raise PipelinesError(f"nothing was fetched, do it by hand as said above: {why}")
    fetched = [fetch_one(download, environment) for download in downloads]
    show_summary(
        f"Fetched {source}",
        {"fetched": fetched, "next": f"palette ingest {source} {folder} --out work/{source}"},
        as_json=as_json,
    )

"""`palette report`: the data report of a merged manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.commands.options import JsonOption


def report(
    manifest: Annotated[Path, typer.Argument(help="The merged manifest, or its folder.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file.")] = Path("report.html"),
    base: Annotated[str, typer.Option(help="The source that the others are added to.")] = "competition",
    ingested: Annotated[
        list[Path] | None,
        typer.Option(help="A manifest that was merged, so that refused photos and duplicates are shown. Repeatable."),
    ] = None,
    genders: Annotated[
        Path | None,
        typer.Option(help="The folder palette pseudo-label wrote to, so that its answers are told of."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="The page's headline.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one self-contained HTML page about a merged manifest."""
    from pipelines.stages import report_stage
    from pipelines.summary import show_summary

    page = report_stage(manifest, out, base_source=base, title=title, ingested=ingested or [], genders=genders)
    show_summary("Report", {"report": page, "bytes": page.stat().st_size}, as_json=as_json)

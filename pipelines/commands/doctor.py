"""`palette doctor`: a table of what works here and what to do about the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from pipelines.doctor import Check

STYLES = {"ok": "green", "info": "cyan", "warn": "yellow", "fail": "bold red"}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")] = False,
) -> None:
    """Check versions, OpenCV, dlib, model files, GPU, Prefect and disk, and say what to do.

    Exits with 1 only when something palette needs is broken; what is optional gives warnings.
    """
    from pipelines.doctor import examine, is_healthy
    from pipelines.progress import progress_bar

    with progress_bar("looking", unit="checks") as progress:
        checks = examine(progress)
    healthy = is_healthy(checks)
    if as_json:
        from pipelines.summary import show_summary

        show_summary("doctor", {"healthy": healthy, "checks": [asdict(check) for check in checks]}, as_json=True)
    else:
        _show(checks, verdict(checks))
    if not healthy:
        raise typer.Exit(1)


def verdict(checks: Sequence[Check]) -> str:
    """Say in one line how many checks failed or warned."""
    from datasets.wording import counted

    counts = Counter(check.status for check in checks)
    warnings = counted(counts["warn"], "warning")
    if counts["fail"]:
        return f"{counts['fail']} of {len(checks)} checks failed, {warnings}: what to do stands in the last column"
    return f"everything palette needs works; {warnings}"


def _show(checks: Sequence[Check], last_line: str) -> None:
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(_table(checks))
        console.print(last_line, markup=False, highlight=False)
    else:
        typer.echo("\n".join([*lines(checks), last_line]))


def lines(checks: Sequence[Check]) -> list[str]:
    """Return the checks as plain lines, for a log: nothing is broken to fit a width."""
    told = []
    for check in checks:
        told.append(f"{check.status:4}  {check.name}: {check.found}")
        if check.todo:
            told.append(f"      do: {check.todo}")
    return told


def _table(checks: Sequence[Check]) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("found", overflow="fold")
    with_todo = any(check.todo for check in checks)
    if with_todo:
        table.add_column("what to do", overflow="fold")
    for check in checks:
        mark = f"[{STYLES[check.status]}]{check.status}[/]"
        row = [escape(check.name), mark, escape(check.found)]
        table.add_row(*row, *([escape(check.todo)] if with_todo else []))
    return table

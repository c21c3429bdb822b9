"""What a command prints when it is done: rich tables for people, or one JSON document for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any, Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PIPE_WIDTH = 400


def output_console() -> Console:
    """Return a console for stdout: as wide as the terminal; a pipe or a file has no width to keep to.

    There a folded path couldn't be copied.
    """
    console = Console()
    return console if console.is_terminal else Console(width=PIPE_WIDTH)


def plain(value: Any) -> Any:
    """Return `value` with only what JSON knows: mappings, lists, text, numbers, booleans and None.

    Paths and other objects become text; numpy scalars become numbers; NaN and infinities become None.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return str(value)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return escape(", ".join(_cell(item) for item in value)) or "-"
    return escape(str(value))


def summary_tables(title: str, summary: Mapping[str, Any], *, words: bool = True) -> list[Table]:
    """Return one table of the summary's single values and one for each mapping inside it, at any depth.

    Args:
        title: Of the first table.
        summary: Names to values.
        words: The names are words joined by underscores. Names further in are codes, sources and classes: they are
            shown as they are.
    """
    # As wide as its title at least, so that the title is not broken.
    head = Table(title=escape(title), title_justify="left", show_header=False, title_style="bold", min_width=len(title))
    head.add_column(style="cyan")
    head.add_column(overflow="fold", justify=_side(summary))
    tables = [head]
    for key, value in plain(summary).items():
        name = key.replace("_", " ") if words else key
        if isinstance(value, dict):
            tables += summary_tables(name, value, words=False)
        else:
            head.add_row(escape(name), _cell(value))
    return tables


def _side(values: Mapping[str, Any]) -> Literal["left", "right"]:
    """Numbers stand on the right, so that their digits are below each other; text on the left."""
    return "right" if all(isinstance(value, int | float | dict) for value in plain(values).values()) else "left"


def show_summary(title: str, summary: Mapping[str, Any], *, as_json: bool = False) -> None:
    """Print a summary on stdout.

    Args:
        title: The headline of the table; not part of the JSON.
        summary: Names to values; a mapping as value becomes a table of its own.
        as_json: Print one JSON document and nothing else.
    """
    if as_json:
        sys.stdout.write(json.dumps(plain(summary), ensure_ascii=False, indent=2) + "\n")
        return
    console = output_console()
    for table in summary_tables(title, summary):
        if table.row_count:
            console.print(table)

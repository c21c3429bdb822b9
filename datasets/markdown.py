"""Markdown in which other people's text stays text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Final

from datasets.refusals import printable

_SIGNS: Final = re.compile(r"([\\`*_{}\[\]|#~])")


def escape(text: object) -> str:
    """Returns text on one line whose signs mean nothing in Markdown, nor in the HTML that Markdown lets through."""
    return _SIGNS.sub(r"\\\1", html.escape(printable(str(text)), quote=False))


def link(text: str, address: str) -> str:
    """Returns a link where there is an address to lead to, and the bare text where there isn't."""
    shown = escape(text)
    return f"[{shown}]({address})" if address.startswith(("https://", "http://")) else shown


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Lays out a table.

    Args:
        heads: Its columns' names.
        rows: Their cells, escaped already.
        numbers: Which columns stand on the right, from 0.

    Returns:
        Lines, each ended.
    """
    rule = ["---:" if index in numbers else "---" for index in range(len(heads))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, rule, *rows))


def fenced(text: str, language: str = "") -> str:
    """Returns text of our own as a block of code."""
    return f"```{language}\n{text.strip()}\n```\n"

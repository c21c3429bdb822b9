"""How the report writes numbers and other people's text."""

from __future__ import annotations

import math

from datasets.wording import is_printable

NOTHING = "–"
UNSEEN = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Marks of reading direction (Unicode's Bidi_Control) and spaces of no width."""


def visible(value: object, limit: int | None = None) -> str:
    """Text safe to set in a page or a drawing: what can't be seen is shown.

    Control characters, lone surrogates (file names that are not UTF-8) and the marks that turn the reading direction
    become U+FFFD, so that a name can't disguise itself. Escaping is left to the template.

    Args:
        value: anything; its `str` is taken.
        limit: longest length in characters; the middle of a longer text gives way to an ellipsis.
    """
    text = "".join("\ufffd" if _is_hidden(sign) else sign for sign in str(value))
    if limit is None or len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[-tail:]}"


def _is_hidden(sign: str) -> bool:
    return sign in UNSEEN or not is_printable(sign)


def number(value: float | None) -> str:
    """A count with thousands separators; a dash for none."""
    return NOTHING if value is None or math.isnan(value) else f"{round(value):,}"


def share(value: float | None) -> str:
    """A share 0..1 as a percentage with one decimal; something that isn't zero never reads 0.0 %."""
    if value is None or math.isnan(value):
        return NOTHING
    if 0 < value < 0.0005:
        return "<0.1 %"
    return f"{value * 100:.1f} %"


def times(value: float | None) -> str:
    """A growth, as ×2.5; a dash where there was nothing to grow from."""
    if value is None or math.isnan(value):
        return NOTHING
    return f"×{value:,.1f}" if value < 100 else f"×{value:,.0f}"

"""How numbers stand in sentences, and which texts may stand on a line."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNPRINTABLE: Final = frozenset({"Cc", "Cn", "Cs", "Zl", "Zp"})
"""Unicode's categories of control characters, places without a character (some of which YAML doesn't take), lone
surrogates (bytes that were no text) and breaks of lines."""


def counted(count: int, one: str, many: str = "") -> str:
    """Returns a count with what it counts: `1 photo`, `1,234 photos`.

    Args:
        count: How many.
        one: The word for one of them.
        many: The word for several; `one` with an s where it is left out.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def is_printable(text: str) -> bool:
    """Says whether a text can be written as UTF-8 and shown on one line."""
    return not any(unicodedata.category(sign) in _UNPRINTABLE for sign in text)

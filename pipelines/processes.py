"""Which of the processes that `accelerate launch` or `torchrun` has started this one is."""

from __future__ import annotations

import os


def rank() -> int:
    """Return this process's number, from 0; the first writes and speaks for all."""
    return _number("RANK", 0)


def process_count() -> int:
    """Return how many processes train together, 1 where nobody launched several."""
    return _number("WORLD_SIZE", 1)


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default

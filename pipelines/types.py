"""Types that several modules of this room share; imports nothing but the standard library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

ProgressCallback = Callable[[int, int], None]
"""Called as `progress(done, total)`."""

PhotoPlacing = Literal["auto", "link", "copy"]
"""How photos get beside a manifest: `auto` links where that works and copies elsewhere."""

ConflictRule = Literal["keep", "drop"]
"""What becomes of copies whose labels contradict each other: the best one is kept, or all are dropped."""

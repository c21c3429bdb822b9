"""Types that several modules of this room share; imports nothing but the standard library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

ProgressCallback = Callable[[int, int], None]
"""Called as `progress(done, total)`."""

PhotoPlacing = Literal["auto", "link", "copy"]
"""How photos get beside a manifest: `auto` links where that works and copies elsewhere."""

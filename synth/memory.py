"""Memory: how the C library hands it out."""

from __future__ import annotations

import ctypes
from functools import lru_cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's options (`mallopt(3)`)."""

KEPT, LARGEST_KEPT = 256 * 1024**2, 32 * 1024**2
"""Bytes that are kept in all, and of one piece: of glibc's own limits the second is as high as it can be set."""


@lru_cache(maxsize=1)
def keep_memory() -> bool:
    """Asks the C library to keep the memory of freed pictures for the next ones, for the whole process.

    Left alone it gives every piece over 128 kB back to the system at once and asks for it anew, and the system clears
    it each time: for the small pictures of this work that costs more than what is done with them.

    Returns:
        Whether that is set; on systems other than glibc's nothing changes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))

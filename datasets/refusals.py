"""What wasn't used, and why: one record a photo, never a silent skip."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Refusal:
    """A photo or variant that isn't used.

    Attributes:
        photo_id: Of the photo, or of what was expected and isn't there. From `find_photos` it is the relative path.
        stage: Where it was refused: `find`, `labels`, `read`, `merge`, ...
        reason: A code that can be counted, such as `truncated`.
        detail: One line for a person to read; no absolute paths.
    """

    photo_id: str
    stage: str
    reason: str
    detail: str = ""

    def of_source(self, source: str) -> Refusal:
        """Returns the same refusal with its relative path made a photo id of `source`."""
        return replace(self, photo_id=f"{source}:{self.photo_id}")


def printable(text: str) -> str:
    """Returns `text` on one line that any file can hold: undecodable bytes and control characters are escaped."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), safe)

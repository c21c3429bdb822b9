"""What a manifest can't know of a dataset that is to be published: its name, its address, who made it and when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from datasets.errors import UsageError
from datasets.wording import is_printable

_ADDRESS: Final = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


@dataclass(frozen=True)
class About:
    """What a manifest can't know of a dataset that is to be published.

    Attributes:
        name: What it is called.
        url: Of its page on the web.
        creator: Who made it.
        published: The day it was published, as YYYY-MM-DD.
        version: MAJOR.MINOR.PATCH.

    Raises:
        UsageError: If one of them can't be that.
    """

    name: str = "Palette dataset"
    url: str | None = None
    creator: str | None = None
    published: str | None = None
    version: str = "1.0.0"

    def __post_init__(self) -> None:
        for what, text in (("name", self.name), ("creator", self.creator)):
            if text is not None and not (text.strip() and is_printable(text)):
                raise UsageError(f"{what} must be text of one line that can be written as UTF-8, not {text!r}")
        if self.url is not None and not _is_address(self.url):
            raise UsageError(f"url must be an http:// or https:// address without spaces, not {self.url!r}")
        if not _VERSION.fullmatch(self.version):
            raise UsageError(f"version must be MAJOR.MINOR.PATCH, such as 1.0.0, not {self.version!r}")
        if self.published is not None and not _is_day(self.published):
            raise UsageError(f"published must be a day as YYYY-MM-DD, not {self.published!r}")


def _is_address(text: str) -> bool:
    try:
        return bool(_ADDRESS.fullmatch(text) and is_printable(text) and urlsplit(text).hostname)
    except ValueError:  # such as half of an address in brackets
        return False


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and date.fromisoformat(text))
    except ValueError:  # such as the 31st of a short month
        return False


def missing_properties(about: About) -> tuple[str, ...]:
    """Returns the properties that Croissant 1.0 requires and `about` doesn't give."""
    given = {"url": about.url, "creator": about.creator, "datePublished": about.published}
    return tuple(name for name, value in given.items() if value is None)

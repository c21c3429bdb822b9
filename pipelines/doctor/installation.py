"""What is installed beside palette, read from the metadata of the distributions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "palette-faces"


@dataclass(frozen=True)
class Installation:
    """The distributions that this Python sees, and what palette asks of them.

    Attributes:
        versions: Canonical distribution name -> version.
        requirements: palette's own requirements, extras in their markers.
        requires_python: palette's range of Python versions, e.g. `>=3.11`.
    """

    versions: Mapping[str, str]
    requirements: tuple[Requirement, ...] = ()
    requires_python: str = ""

    @classmethod
    def read(cls, path: Sequence[str] | None = None) -> Installation:
        """Read the metadata found on `path`, or on `sys.path`."""
        found = metadata.distributions() if path is None else metadata.distributions(path=list(path))
        versions: dict[str, str] = {}
        own = None
        for distribution in found:
            name = distribution.metadata["Name"]
            if not name:  # the remains of an interrupted uninstall
                continue
            # The first one on the path is the one that gets imported.
            versions.setdefault(canonicalize_name(name), distribution.version)
            if own is None and canonicalize_name(name) == PROJECT:
                own = distribution
        if own is None:
            return cls(versions)
        requirements = tuple(Requirement(text) for text in own.requires or ())
        return cls(versions, requirements, own.metadata["Requires-Python"] or "")

    def wanted(self, extra: str | None) -> list[Requirement]:
        """Return the requirements of one extra, or of the base install for None, that apply on this machine."""
        if extra is None:
            return [item for item in self.requirements if item.marker is None or item.marker.evaluate({"extra": ""})]
        named = re.compile(rf"""extra\s*==\s*["']{re.escape(extra)}["']""")
        return [
            item
            for item in self.requirements
            if item.marker and named.search(str(item.marker)) and item.marker.evaluate({"extra": extra})
        ]

    def version(self, name: str) -> str | None:
        """Return the installed version of a distribution, or None."""
        return self.versions.get(canonicalize_name(name))

"""The record every check returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "info", "warn", "fail"]
Examiner = Callable[[], Sequence["Check"]]


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: What was looked at, in a few words.
        status: `ok`; `info`, a fact with nothing to do; `warn`, something optional is missing or odd; `fail`,
            something palette needs is broken.
        found: What was found, with versions.
        todo: What to do about it; empty when there is nothing to do.
    """

    name: str
    status: Status
    found: str
    todo: str = ""


def guarded(name: str, examiner: Examiner) -> list[Check]:
    """Return the examiner's checks, or one warning saying why it could not look.

    A fault in one check must not hide the others, and is no proof that the thing looked at is broken.
    """
    try:
        return list(examiner())
    except Exception as error:
        told = " ".join(f"{type(error).__name__}: {error}".split())
        return [Check(name, "warn", f"could not be checked: {told}", "report this as a fault in palette doctor")]

"""Forms: how masks of different builds stand off the face, over the sheet's own coordinates.

A sheet is laid on the convex front of the head and then lifted along its normals. What a look draws must meet the form
it is laid on: a fold lies at the same v in both, so the places of folds are named here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from synth.arrays import FloatArray
from synth.errors import SynthUsageError

BOAT_FOLDS = (0.33, 0.73)
"""v of the two folds of a three-panel mask: its middle panel stands upright between them."""

NECK = (-0.16, 0.20, 0.30)
"""Where cloth hangs before the throat, head units: depth z under the chin, how fast that falls off to the sides (by
x squared) and downwards (by y)."""

CHIN_HEIGHT, ABOVE_CHIN = 1.28, 1.1
"""y of the chin's point on the mean face, and how fast hanging cloth goes back to the jaw above it, by the height
squared: its corners lie on the cheeks, where one that stayed before the throat would stand out beside a turned head."""

Lift = Callable[[FloatArray, FloatArray], FloatArray]


def _sheet(u: FloatArray, v: FloatArray) -> FloatArray:
    return np.asarray((1 - 0.75 * u**4) * (1 - 0.6 * v**4))


def _cup(u: FloatArray, v: FloatArray) -> FloatArray:
    # A moulded dome down to its rim. Its corners, cut away by the look, go on falling: a kink there would fold.
    return np.asarray(1 - np.minimum(0.95 * u**2 + 0.8 * v**2, 1.25))


def _ridge(u: FloatArray, v: FloatArray) -> FloatArray:
    # Two halves that meet in a keel, foremost before the mouth; the keel is rounded so that its normals stay smooth.
    keel = 1 - (np.sqrt(u**2 + 0.03) - np.sqrt(0.03)) / (np.sqrt(1.03) - np.sqrt(0.03))
    return np.asarray(keel * (1 - 0.85 * np.abs(v) ** 2.5))


def _boat(u: FloatArray, v: FloatArray) -> FloatArray:
    # In profile a trapezium: out from the nose to the upper fold, upright to the lower, back to the chin.
    upper, lower = (2 * fold - 1 for fold in BOAT_FOLDS)
    profile = np.interp(v[:, 0], [-1.0, upper, lower, 1.0], [0.25, 1.0, 0.92, 0.2])[:, None]
    return np.asarray(profile * (1 - 0.9 * np.abs(u) ** 2.4))


_LIFTS: dict[str, Lift] = {"sheet": _sheet, "cup": _cup, "ridge": _ridge, "boat": _boat, "drape": _sheet}


def list_forms() -> list[str]:
    """The names of all forms."""
    return list(_LIFTS)


@lru_cache(maxsize=32)
def lift(form: str, rows: int, columns: int) -> FloatArray:
    """How far each point of a sheet stands off the face, as a share of the standoff: (rows, columns), 1 at most.

    Reckoned once; not to be written to.

    Raises:
        SynthUsageError: there is no such form.
    """
    if form not in _LIFTS:
        raise SynthUsageError(f"unknown form {form!r}: expected one of {', '.join(_LIFTS)}")
    v, u = np.linspace(-1, 1, rows)[:, None], np.linspace(-1, 1, columns)[None, :]
    made = np.asarray(_LIFTS[form](u, v))
    made.flags.writeable = False
    return made


def hang(x: FloatArray, y: FloatArray, depth: FloatArray) -> FloatArray:
    """Depth z of a cloth that hangs: the head's where that lies further out, else straight down before the throat.

    Args:
        x, y: head coordinates, any shape.
        depth: of the head there, same shape.
    """
    front, aside, down = NECK
    below = y - CHIN_HEIGHT
    throat = front - aside * x**2 - down * np.maximum(below, 0) - ABOVE_CHIN * np.minimum(below, 0) ** 2
    return soft_maximum(depth, throat)


def soft_maximum(depth: FloatArray, other: FloatArray | float) -> FloatArray:
    """The larger of two depths, head units; where they meet cloth goes from one to the other in a bend, no crease."""
    apart = depth - other
    return np.asarray(other + 0.5 * (apart + np.sqrt(apart**2 + 0.01)))

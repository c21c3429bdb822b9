"""Wear styles: how a mask sits on the face, and what the label is when it sits so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from synth.errors import SynthUsageError
from synth.shape import MEAN_FACE
from synth.surface import Outline

BESIDE = -0.01
"""How far the corners of a mask that has slipped down reach beyond the mean jaw, head units; below 0 they end before
it. The further down a mask sits, the narrower is what it lies on."""

BELOW_CHIN = 0.6
"""How often a mask that hangs does so from both ears below a bare chin, and not from one ear."""

NOT_WEAR = "not_wear"
"""The style of a variant without a mask, named like its mask state."""


@dataclass(frozen=True)
class Cut:
    """How a mask type is cut, whatever its style: a part of `synth.surface.Outline` in head units.

    Attributes:
        top_half, bottom_half, top_side, bottom_side, standoff, peak, belly: as of the outline.
        form: how it stands off the face, see `synth.forms`.
        drop: how much further down than other masks it reaches, as a scarf does.
        soft: share of a wear style's wrinkles that it takes; what is moulded keeps its form.
    """

    top_half: float
    bottom_half: float
    top_side: float
    bottom_side: float
    standoff: float
    peak: float = 1.3
    belly: float = 2.0
    form: str = "sheet"
    drop: float = 0.0
    soft: float = 1.0


@dataclass(frozen=True)
class WearStyle:
    """A way to wear a mask.

    Attributes:
        name: as in the manifest.
        mask_state: the label it means: wear or incorrect.
        place: draws where the edges of a mask of this cut sit, from the style's natural spread.
        crumple: how much the sheet wrinkles worn so, 0 to 1.
    """

    name: str
    mask_state: str
    place: Callable[[Cut, np.random.Generator], Outline]
    crumple: float


_STYLES: dict[str, WearStyle] = {}


Place = Callable[[Cut, np.random.Generator], Outline]


def _wear_style(name: str, mask_state: str, crumple: float) -> Callable[[Place], Place]:
    def register(place: Place) -> Place:
        _STYLES[name] = WearStyle(name, mask_state, place, crumple)
        return place

    return register


def list_wear_styles() -> list[str]:
    """The names of all wear styles that put a mask on a face, and `not_wear`."""
    return [*_STYLES, NOT_WEAR]


def get_wear_style(name: str) -> WearStyle:
    """The style of that name.

    Raises:
        SynthUsageError: there is none.
    """
    if name not in _STYLES:
        raise SynthUsageError(f"unknown wear style {name!r}: expected one of {', '.join(list_wear_styles())}")
    return _STYLES[name]


def mask_state_of(style: str) -> str:
    """The mask state (wear, incorrect, not_wear) that a wear style means."""
    return NOT_WEAR if style == NOT_WEAR else get_wear_style(style).mask_state


def _worn(cut: Cut, rng: np.random.Generator, top: float, bottom: float) -> Outline:
    """An outline of this cut between two heights on the midline, with the small crookedness of every worn mask."""
    return Outline(
        top=top,
        bottom=bottom + cut.drop,
        top_side=cut.top_side + rng.normal(0, 0.02),
        bottom_side=cut.bottom_side + rng.normal(0, 0.02),
        top_half=cut.top_half * rng.uniform(0.96, 1.02),
        bottom_half=cut.bottom_half * rng.uniform(0.96, 1.02),
        peak=cut.peak * rng.uniform(0.9, 1.15),
        belly=cut.belly * rng.uniform(0.9, 1.3),
        standoff=cut.standoff * rng.uniform(0.8, 1.3),
        tilt=min(max(rng.normal(0, 1.2), -3.0), 3.0),
        shift=min(max(rng.normal(0, 0.012), -0.03), 0.03),
        form=cut.form,
    )


@_wear_style("correct", "wear", crumple=0.15)
def _correct(cut: Cut, rng: np.random.Generator) -> Outline:
    # From between the eyes to between the ridge of the nose (landmark 29) and its tip (30), on its bridge as a rule and
    # seldom so low that it just hides the tip; down to under the chin.
    return _worn(cut, rng, 0.10 + 0.21 * rng.beta(1.2, 2.0), rng.uniform(1.35, 1.44))


@_wear_style("nose_out", "incorrect", crumple=0.3)
def _nose_out(cut: Cut, rng: np.random.Generator) -> Outline:
    # The nostrils' underside is at 0.53, the upper lip's edge at 0.67; the nose stops a mask that slips, so that it is
    # more often at the first. The loops hold the sides up.
    worn = _worn(replace(cut, drop=0.8 * cut.drop), rng, 0.46 + 0.15 * rng.beta(1.0, 1.4), rng.uniform(1.36, 1.47))
    # Between the cheeks the upper edge sags where the loops hold the sides up, or bows over the lip where they don't.
    top_side, bottom_side = worn.top + rng.uniform(-0.14, 0.12), worn.bottom_side + rng.uniform(0.0, 0.16)
    # A scarf is wider than any jaw, and a moulded cup no narrower for having slipped.
    keeps = cut.drop > 0 or cut.form == "cup"
    if cut.form == "cup":
        top_side = worn.top_side + rng.uniform(0.06, 0.26)
    return replace(
        worn,
        top_side=top_side,
        bottom_side=bottom_side,
        top_half=min(worn.top_half, _jaw_half(top_side) + BESIDE),
        bottom_half=worn.bottom_half if keeps else min(worn.bottom_half, _jaw_half(bottom_side) + BESIDE),
        peak=rng.uniform(1.4, 2.6),
        # From a bib that ends at the chin's point to a box that is as broad below the chin as beside it.
        belly=worn.belly * rng.uniform(0.9, 1.25),
        standoff=0.5 * worn.standoff,
        drapes=True,
        floor=-2.0 if keeps else rng.uniform(-0.64, -0.44),
    )


@_wear_style("chin", "incorrect", crumple=0.9)
def _chin(cut: Cut, rng: np.random.Generator) -> Outline:
    # From just below the lower lip's edge (0.91) to some way above the chin's point (1.28): what holds too little of a
    # chin is drawn anew. It is gathered there and hangs before the neck. The upper edge bows down between corners that
    # stand off the jaw, from beside the nose's wings to below the mouth; from there the loops go taut to the ears.
    top = rng.uniform(0.94, 1.18)
    # A scarf that is pushed down lies in more folds than a mask, but it does hang further.
    worn = _worn(replace(cut, drop=0.6 * cut.drop), rng, top, min(max(top + rng.uniform(0.28, 0.60), 1.30), 1.54))
    top_side = rng.uniform(0.58, min(0.98, top - 0.08))
    bottom_side = top_side + rng.uniform(0.16, 0.34)
    top_half = _jaw_half(top_side) + rng.uniform(-0.03, 0.06)
    return replace(
        worn,
        top_side=top_side,
        bottom_side=bottom_side,
        top_half=top_half,
        # The jaw narrows faster towards the chin than cloth does.
        bottom_half=max(_jaw_half(bottom_side) + rng.uniform(-0.03, 0.02), top_half * rng.uniform(0.7, 0.9)),
        peak=rng.uniform(1.15, 2.2),
        belly=rng.uniform(1.9, 4.0),
        standoff=0.8 * worn.standoff + rng.uniform(0.0, 0.04),
        drapes=True,
        floor=rng.uniform(-0.65, -0.36),
    )


def _jaw_half(y: float) -> float:
    """Half the width of the mean face's jaw at a height, head units."""
    return float(np.interp(y, MEAN_FACE[16:7:-1, 1], MEAN_FACE[16:7:-1, 0]))


@_wear_style("chin_out", "incorrect", crumple=0.3)
def _chin_out(cut: Cut, rng: np.random.Generator) -> Outline:
    # Pushed up, or too small: from the nose's bridge to below the lower lip (0.91), above the chin's middle (1.1).
    worn = _worn(replace(cut, drop=0.0), rng, rng.uniform(0.06, 0.18), rng.uniform(0.98, 1.09))
    return replace(
        worn,
        top_side=worn.top_side - rng.uniform(0.0, 0.08),  # higher up it would reach the lower lids
        bottom_side=worn.bottom_side - rng.uniform(0.12, 0.25),
        standoff=0.9 * worn.standoff,
    )


@_wear_style("hanging", "incorrect", crumple=0.35)
def _hanging(cut: Cut, rng: np.random.Generator) -> Outline:
    return _from_both_ears(cut, rng) if rng.uniform(0.0, 1.0) < BELOW_CHIN else _from_one_ear(rng)


def _from_both_ears(cut: Cut, rng: np.random.Generator) -> Outline:
    # Before the throat, gathered as at the chin but all of it below: its upper edge follows the jaw from outside, for
    # the chin's point (1.28) and what lies above the jaw's corners stay free.
    top = rng.uniform(1.26, 1.40)
    worn = _worn(cut, rng, top, top + rng.uniform(0.30, 0.66))
    top_side = rng.uniform(0.86, 1.08)
    bottom_side = top_side + rng.uniform(0.20, 0.42)
    top_half = _jaw_half(top_side) + rng.uniform(0.0, 0.08)
    return replace(
        worn,
        top_side=top_side,
        bottom_side=bottom_side,
        top_half=top_half,
        bottom_half=top_half * rng.uniform(0.72, 0.95),
        peak=rng.uniform(1.3, 2.2),
        belly=rng.uniform(1.7, 3.0),
        standoff=0.7 * worn.standoff,
        drapes=True,
        floor=rng.uniform(-0.62, -0.40),
    )


def _from_one_ear(rng: np.random.Generator) -> Outline:
    # By one loop from one ear, lower than the ear, beside jaw and neck; folded lengthwise and turned edge-on to
    # three-quarters, so that a part of its height is seen, most often less than half.
    side = 1.0 if rng.uniform(0.0, 1.0) < 0.5 else -1.0
    upper_end, height = rng.uniform(0.46, 0.74), rng.uniform(0.24, 0.60)
    # Some 17 cm long, and seen from a little above: it ends 10 cm below the jaw at most.
    half = min(rng.uniform(0.48, 0.74), 0.5 * (1.98 - upper_end))
    middle = upper_end + half
    # One edge is the fold, nearly straight; the other one goes from a rectangle's to a crescent's.
    fold, rim = 0.5 * height * rng.uniform(0.9, 1.0), 0.5 * height * rng.uniform(-0.35, 0.9)
    above, below = (fold, rim) if rng.uniform(0.0, 1.0) < 0.5 else (rim, fold)
    return Outline(
        top=middle - height / 2,
        bottom=middle + height / 2,
        top_side=middle - above,
        bottom_side=middle + below,
        top_half=half,
        bottom_half=half * rng.uniform(0.94, 1.0),
        peak=rng.uniform(1.8, 2.8),
        belly=rng.uniform(1.8, 2.8),
        standoff=0.04,
        tilt=side * rng.uniform(76.0, 98.0),
        shift=side * max(0.44 + height / 2, rng.uniform(0.60, 0.84)),
        floor=rng.uniform(-0.52, -0.36),
        hangs=side,
    )


@_wear_style("over_eyes", "incorrect", crumple=0.3)
def _over_eyes(cut: Cut, rng: np.random.Generator) -> Outline:
    # Slipped or pushed up: from brows or forehead to between the nose's ridge and its tip (0.38); a scarf is folded.
    worn = _worn(replace(cut, drop=0.0), rng, rng.uniform(-0.55, -0.28), rng.uniform(0.16, 0.38))
    return replace(
        worn,
        top_side=rng.uniform(-0.34, -0.2),
        bottom_side=rng.uniform(0.14, 0.3),
        top_half=rng.uniform(0.7, 0.8),
        bottom_half=rng.uniform(0.7, 0.8),
        peak=2.0,
        belly=rng.uniform(1.4, 2.2),
        standoff=0.5 * worn.standoff,
        brow=True,
    )

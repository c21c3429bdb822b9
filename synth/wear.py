"""Wear styles: how a mask sits on the face, and what the label is when it sits so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from synth.errors import SynthUsageError
from synth.surface import Outline

NOT_WEAR = "not_wear"
"""The style of a variant without a mask, named like its mask state."""


@dataclass(frozen=True)
class Cut:
    """How a mask type is cut, whatever its style: a part of `synth.surface.Outline` in head units.

    Attributes:
        top_half, bottom_half, top_side, bottom_side, standoff, peak, belly: as of the outline.
        form: how it stands off the face, see `synth.forms`.
        drop: how much further down than other masks it reaches, as a scarf does.
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
        belly=cut.belly * rng.uniform(0.9, 1.1),
        standoff=cut.standoff * rng.uniform(0.8, 1.3),
        tilt=float(np.clip(rng.normal(0, 1.2), -3, 3)),
        shift=float(np.clip(rng.normal(0, 0.012), -0.03, 0.03)),
        form=cut.form,
    )


@_wear_style("correct", "wear", crumple=0.15)
def _correct(cut: Cut, rng: np.random.Generator) -> Outline:
    # From between the eyes to the middle of the nose's ridge (landmarks 27 to 29), down to under the chin.
    return _worn(cut, rng, rng.uniform(0.06, 0.20), rng.uniform(1.35, 1.42))


@_wear_style("nose_out", "incorrect", crumple=0.3)
def _nose_out(cut: Cut, rng: np.random.Generator) -> Outline:
    # The nostrils' underside is at 0.53, the upper lip's edge at 0.67; the loops hold the sides up.
    worn = _worn(cut, rng, rng.uniform(0.555, 0.63), rng.uniform(1.36, 1.44))
    return replace(
        worn,
        top_side=worn.top_side + rng.uniform(0.10, 0.2),
        bottom_side=worn.bottom_side + rng.uniform(0.02, 0.1),
        peak=rng.uniform(1.6, 2.4),
        standoff=0.6 * worn.standoff,
    )


@_wear_style("chin", "incorrect", crumple=0.9)
def _chin(cut: Cut, rng: np.random.Generator) -> Outline:
    # Pulled under the lower lip (its edge is at 0.91) and gathered there; the sides follow the jaw up to the ears.
    worn = _worn(cut, rng, rng.uniform(0.99, 1.09), rng.uniform(1.42, 1.50))
    top_side = rng.uniform(0.66, 0.80)
    return replace(
        worn,
        top_side=top_side,
        bottom_side=top_side + rng.uniform(0.20, 0.30),
        top_half=0.76,
        bottom_half=0.66,
        peak=rng.uniform(1.3, 1.9),
        standoff=0.8 * worn.standoff,
    )

"""The registry of mask types: a decorator, a dict, a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synth.arrays import FloatArray
from synth.errors import SynthUsageError
from synth.looks.canvas import Canvas, lab_to_linear
from synth.wear import Cut

Lab = tuple[float, float, float]
Draw = Callable[["Canvas", "Look", np.random.Generator], None]


@dataclass(frozen=True)
class Look:
    """A mask type with its drawn parameters; everything that shapes the texture but its size.

    Attributes:
        mask_type: as in the manifest.
        colour, accent, strap: CIE Lab (L 0..100, a, b) of the sheet, of its trim or print, of the loops.
        relief: depth of pleats and seams relative to the type's usual, about 0.5 to 1.5.
        pattern: what is printed on it, empty for plain.
        seed: of everything drawn at random.
    """

    mask_type: str
    colour: Lab
    accent: Lab
    strap: Lab
    relief: float
    pattern: str
    seed: int


@dataclass(frozen=True)
class Shade:
    """A colour a mask type is sold in: Lab mean, and how common it is."""

    lab: Lab
    weight: float = 1.0


@dataclass(frozen=True)
class MaskType:
    """A kind of mask.

    Attributes:
        name: as in the manifest.
        cut: its shape.
        shades: the colours it is sold in.
        patterns: prints it may carry; an empty string is plain.
        loop_width: of the ear loops, in head units (0.03 is about 3 mm).
        gloss: strength of its sheen, 0 (matt) to 1.
        draw: draws it on a canvas.
    """

    name: str
    cut: Cut
    shades: tuple[Shade, ...]
    patterns: tuple[str, ...]
    loop_width: float
    gloss: float
    draw: Draw


_TYPES: dict[str, MaskType] = {}


def register(
    name: str,
    *,
    cut: Cut,
    shades: tuple[Shade, ...],
    patterns: tuple[str, ...] = ("",),
    loop_width: float = 0.03,
    gloss: float = 0.0,
) -> Callable[[Draw], Draw]:
    """Registers a drawing function as the mask type `name`."""

    def add(draw: Draw) -> Draw:
        _TYPES[name] = MaskType(name, cut, shades, patterns, loop_width, gloss, draw)
        return draw

    return add


def list_mask_types() -> list[str]:
    """The names of all mask types, in alphabetical order."""
    return sorted(_TYPES)


def mask_type(name: str) -> MaskType:
    """The mask type of that name.

    Raises:
        SynthUsageError: there is none.
    """
    if name not in _TYPES:
        raise SynthUsageError(f"unknown mask type {name!r}: expected one of {', '.join(list_mask_types())}")
    return _TYPES[name]


def sample_look(name: str, rng: np.random.Generator) -> Look:
    """Draws the parameters of a mask of this type, so that hardly two are alike."""
    kind = mask_type(name)
    weights = np.array([shade.weight for shade in kind.shades])
    shade = kind.shades[int(rng.choice(len(weights), p=weights / weights.sum()))]
    colour = _vary(shade.lab, (3.0, 2.0, 2.5), rng)
    accent = (float(np.clip(colour[0] + rng.choice([-35, 30]), 8, 96)), rng.normal(0, 22), rng.normal(0, 22))
    strap = _vary((92, 0, 2) if shade.lab[0] > 45 else (22, 0, 0), (2.0, 0.5, 1.0), rng)
    return Look(
        name,
        colour,
        accent,
        strap,
        relief=float(rng.uniform(0.6, 1.4)),
        pattern=str(rng.choice(np.array(kind.patterns))),
        seed=int(rng.integers(2**31)),
    )


def _vary(lab: Lab, spread: Lab, rng: np.random.Generator) -> Lab:
    light, a, b = (float(mean + rng.normal(0, width)) for mean, width in zip(lab, spread, strict=True))
    return float(np.clip(light, 6, 97)), a, b


def draw_look(look: Look, width: int, aspect: float, crumple: float) -> Canvas:
    """Draws a look at the resolution needed.

    Args:
        look: what to draw.
        width: of the texture, in texels.
        aspect: width over height of the sheet it will be laid on.
        crumple: how much the wear style wrinkles it, 0 to 1.
    """
    rng = np.random.default_rng(look.seed)
    canvas = Canvas.blank(width, aspect, lab_to_linear(look.colour))
    mask_type(look.mask_type).draw(canvas, look, rng)
    canvas.wrinkle(crumple * float(rng.uniform(0.7, 1.3)), rng)
    np.clip(canvas.albedo, 0.005, 0.98, out=canvas.albedo)
    return canvas


def strap_colour(look: Look) -> FloatArray:
    """(3,) linear RGB reflectance of the ear loops."""
    return lab_to_linear(look.strap)

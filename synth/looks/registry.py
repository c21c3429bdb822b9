"""The registry of mask types: a decorator, a dict, a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from synth.arrays import FloatArray
from synth.errors import SynthUsageError
from synth.looks.canvas import Canvas, lab_to_linear
from synth.looks.strokes import fold_over, slack, tension
from synth.loops import Strap
from synth.wear import NOT_WEAR, Cut, get_wear_style

Lab = tuple[float, float, float]
Draw = Callable[["Canvas", "Look", np.random.Generator], None]

WHITE_CORD: Lab = (91, 0, 2)
BLACK_CORD: Lab = (14, 0, 0)

HAIR_OVER_EARS = 0.3
"""Share of looks whose loops are seen on the cheek alone: judged by eye on web photographs of worn masks."""


INNER: Lab = (93, 0, 1)
WITHIN, PALE = 0.35, 45
"""Share of pale masks hanging from one ear that show the side that lay on the skin: it is white and has no print,
whatever the colour outside. Pale are those of at least this lightness; dark ones are mostly of one cloth."""


@dataclass(frozen=True)
class Look:
    """A mask type with its drawn parameters; everything that shapes the texture but its size.

    Attributes:
        mask_type: as in the manifest.
        colour, accent, strap: CIE Lab (L 0..100, a, b) of the sheet, of its trim or print, of the loops.
        relief: depth of pleats and seams relative to the type's usual, about 0.5 to 1.5.
        pattern: what is printed on it, empty for plain.
        seed: of everything drawn at random.
        wrinkle: how crumpled the cloth is by itself, 0 to about 1.5; the wear style adds to it.
        dirt: slight soiling, 0 (new) to 1.
        pleats: how many, where the type has pleats.
        mark: whether it carries a small sign or a line of print.
        valve: whether it has an exhalation valve.
        strap_width: of a loop, head units.
        strap_seen: share of each loop's length that no hair hides, 0 to 1.
    """

    mask_type: str
    colour: Lab
    accent: Lab
    strap: Lab
    relief: float
    pattern: str
    seed: int
    wrinkle: float = 0.5
    dirt: float = 0.0
    pleats: int = 3
    mark: bool = False
    valve: bool = False
    strap_width: float = 0.03
    strap_seen: float = 1.0


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
        attach: what holds it: `ears`, `head` (two straps behind the head) or `none`.
        own_strap: share of masks whose straps are of the mask's own colour.
        marked, valved: share of masks with a mark, with a valve.
        built_in: whether it comes with this package.
        strap: CIE Lab of its straps, where they are always the same.
        cords: the colours its straps are sold in; white and black ones, by the mask's own lightness, where empty.
        unsuited: the wear styles in which nobody can wear it.
    """

    name: str
    cut: Cut
    shades: tuple[Shade, ...]
    patterns: tuple[str, ...]
    loop_width: float
    gloss: float
    draw: Draw
    attach: str = "ears"
    own_strap: float = 0.0
    marked: float = 0.0
    valved: float = 0.0
    built_in: bool = True
    strap: Lab | None = None
    cords: tuple[Shade, ...] = ()
    unsuited: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for style in self.unsuited:
            get_wear_style(style)

    def suits(self, style: str) -> bool:
        """Whether it can be worn in this style."""
        return style not in self.unsuited


_TYPES: dict[str, MaskType] = {}


def register(
    name: str,
    *,
    cut: Cut,
    shades: tuple[Shade, ...],
    patterns: tuple[str, ...] = ("",),
    loop_width: float = 0.03,
    gloss: float = 0.0,
    attach: str = "ears",
    own_strap: float = 0.0,
    marked: float = 0.0,
    valved: float = 0.0,
    cords: tuple[Shade, ...] = (),
    unsuited: tuple[str, ...] = (),
) -> Callable[[Draw], Draw]:
    """Registers a drawing function as the mask type `name`; the arguments are the attributes of `MaskType`."""

    def add(draw: Draw) -> Draw:
        kind = MaskType(name, cut, shades, patterns, loop_width, gloss, draw, attach, own_strap, marked, valved)
        add_type(replace(kind, cords=cords, unsuited=unsuited))
        return draw

    return add


def add_type(kind: MaskType) -> None:
    """Puts a mask type into the registry, in place of one of the same name."""
    _TYPES[kind.name] = kind
    _suited.cache_clear()


def set_own_types(kinds: tuple[MaskType, ...]) -> None:
    """Makes these the only mask types beside the built-in ones."""
    for name in [name for name, kind in _TYPES.items() if not kind.built_in]:
        del _TYPES[name]
    _suited.cache_clear()
    for kind in kinds:
        add_type(kind)


def list_mask_types(style: str | None = None) -> list[str]:
    """The names of all mask types, in alphabetical order; of those that can be worn in a style, where one is given.

    Raises:
        SynthUsageError: an unknown style.
    """
    if style is None:
        return sorted(_TYPES)
    return list(_suited(style))


@lru_cache(maxsize=32)
def _suited(style: str) -> tuple[str, ...]:
    _check_style(style)
    return tuple(sorted(name for name, kind in _TYPES.items() if kind.suits(style)))


def mask_type(name: str) -> MaskType:
    """The mask type of that name.

    Raises:
        SynthUsageError: there is none.
    """
    if name not in _TYPES:
        raise SynthUsageError(f"unknown mask type {name!r}: expected one of {', '.join(list_mask_types())}")
    return _TYPES[name]


def suited_types(types: Sequence[str], style: str) -> list[str]:
    """Those of these mask types, or of all where none is given, that can be worn in a style.

    Raises:
        SynthUsageError: an unknown type or style.
    """
    suited = list_mask_types(style)
    return [kind.name for kind in map(mask_type, types) if kind.name in suited] if types else suited


def check_suited(name: str, style: str) -> None:
    """Makes sure that a mask type can be worn in a style.

    Raises:
        SynthUsageError: it can't, or there is no such type or style; the message lists those that can.
    """
    _check_style(style)
    if not mask_type(name).suits(style):
        raise SynthUsageError(f"a {name} can't be worn {style}: use one of {', '.join(list_mask_types(style))}")


def _check_style(style: str) -> None:
    if style != NOT_WEAR:
        get_wear_style(style)


def sample_look(name: str, rng: np.random.Generator) -> Look:
    """Draws the parameters of a mask of this type, so that hardly two are alike."""
    kind = mask_type(name)
    colour = _vary(_any_shade(kind.shades, rng), (2.5, 1.5, 2.5), rng)
    return Look(
        name,
        colour,
        _accent(colour, rng),
        _strap(kind, colour, rng),
        relief=float(rng.uniform(0.6, 1.4)),
        pattern=kind.patterns[int(rng.integers(len(kind.patterns)))],
        seed=int(rng.integers(2**31)),
        wrinkle=float(rng.gamma(4.0, 0.14)),
        dirt=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.15 else 0.0,
        pleats=_pick((0, 0, 0.08, 0.8, 0.12), rng),
        mark=bool(rng.random() < kind.marked),
        valve=bool(rng.random() < kind.valved),
        strap_width=kind.loop_width * ((0.6, 1.0, 1.5)[_pick((0.3, 0.5, 0.2), rng)] * float(rng.uniform(0.85, 1.15))),
        strap_seen=float(rng.uniform(0.5, 0.85)) if rng.random() < HAIR_OVER_EARS else 1.0,
    )


@lru_cache(maxsize=64)
def _summed(weights: tuple[float, ...]) -> FloatArray:
    shares = np.array(weights) / sum(weights)
    summed = shares.cumsum()
    return np.asarray(summed / summed[-1])


def _pick(weights: tuple[float, ...], rng: np.random.Generator) -> int:
    """As `rng.choice` with these weights draws it, at a fifth of its cost."""
    return int(_summed(weights).searchsorted(rng.random(), side="right"))


def _any_shade(shades: tuple[Shade, ...], rng: np.random.Generator) -> Lab:
    return shades[_pick(tuple(shade.weight for shade in shades), rng)].lab


def _vary(lab: Lab, spread: Lab, rng: np.random.Generator) -> Lab:
    light, a, b = (float(mean + rng.normal(0, width)) for mean, width in zip(lab, spread, strict=True))
    return min(max(light, 5.0), 97.0), a, b


def _accent(colour: Lab, rng: np.random.Generator) -> Lab:
    """A second colour that stands out from the first: white, black, or any hue that is lighter or darker."""
    kind = rng.random()
    if kind < 0.35:
        return _vary((92, 0, 1) if colour[0] < 60 else (12, 0, 0), (2.0, 1.0, 1.0), rng)
    light = colour[0] + (-1 if colour[0] > 55 else 1) * rng.uniform(22, 48)
    hue, chroma = rng.uniform(0, 2 * np.pi), rng.uniform(8, 50)
    return min(max(light, 8.0), 96.0), float(chroma * np.cos(hue)), float(chroma * np.sin(hue))


def _strap(kind: MaskType, colour: Lab, rng: np.random.Generator) -> Lab:
    if kind.strap is not None:
        return _vary(kind.strap, (1.0, 0.5, 0.5), rng)
    if rng.random() < kind.own_strap:
        return _vary(colour, (1.0, 0.5, 0.5), rng)
    if kind.cords:
        return _vary(_any_shade(kind.cords, rng), (3.0, 2.0, 2.0), rng)
    usual, other = (WHITE_CORD, BLACK_CORD) if colour[0] > 45 else (BLACK_CORD, WHITE_CORD)
    return _vary(usual if rng.random() < 0.93 else other, (3.0, 0.5, 1.0), rng)


def draw_look(look: Look, width: int, aspect: float, crumple: float, *, halved: bool = False) -> Canvas:
    """Draws a look at the resolution needed.

    Args:
        look: what to draw.
        width: of the texture, in texels.
        aspect: width over height of the sheet it will be laid on.
        crumple: how much the wear style wrinkles it, 0 to 1.
        halved: it is folded lengthwise: only its upper or lower half is seen, from outside or from within.
    """
    rng = np.random.default_rng(look.seed)
    if halved:
        aspect /= 2
        if look.colour[0] > PALE and rng.random() < WITHIN:
            look = replace(look, colour=_vary(INNER, (1.5, 0.5, 0.5), rng), pattern="", mark=False, valve=False)
    canvas = Canvas.blank(width, aspect, lab_to_linear(look.colour))
    mask_type(look.mask_type).draw(canvas, look, rng)
    tension(canvas, (0.45 + 0.6 * crumple) * look.wrinkle, rng)
    if crumple > 0.5:
        slack(canvas, crumple * float(rng.uniform(0.25, 1.15)), rng)
    canvas.stain(look.dirt, rng)
    if halved:
        fold_over(canvas)
    canvas.finish()
    if not halved:
        return canvas
    first = (0.0, 0.5)[int(rng.integers(2))]
    return canvas.window(0.0, first, 1.0, first + 0.5)


def strap_colour(look: Look) -> FloatArray:
    """(3,) linear RGB reflectance of the ear loops."""
    return lab_to_linear(look.strap)


def strap_of(look: Look) -> Strap:
    """What holds a mask of this look."""
    return Strap(mask_type(look.mask_type).attach, look.strap_width, look.strap_seen)

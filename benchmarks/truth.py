"""Where a mask belongs, by hand-placed points: the face's parts, the head's outline, and what each wear style asks.

The parts are hulls of a portrait's 189 points, so that neither the finder's landmarks nor the engine's own measure has
a say in what is right.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from benchmarks.common import LEFT_JAW, RIGHT_JAW, Portrait
from synth.arrays import BoolArray, FloatArray

PARTS: dict[str, tuple[int, ...]] = {
    "left eye": (18, 19, 20, 21, 22, 28, 29, 30),
    "right eye": (23, 24, 25, 26, 27, 31, 32, 33),
    "nose tip": (53, 54, 60, 59, 65, 70),
    "nose": (54, 60, 62, 67, 63, 68, 55),
    "mouth": (87, 88, 89, 90, 91, 92, 93, 104, 105, 106, 107, 108),
    "chin": (128, 129, 130, 175),
}
"""Points whose hull is each part. `nose tip` ends above the nostrils, `nose` is the tip with nostrils and wings."""

JAW, EARS, HAIRLINE = tuple(range(125, 134)), tuple(range(115, 125)), tuple(range(134, 145))
NECK = (145, 157, 183, 184)
"""Sides of the neck, and its front about two centimetres under the chin: a mask's lower edge is seen before it."""

MARGIN = 0.06
"""How far the outline is grown, in face widths (8 mm): a mask floats off cheek and jaw by as much."""

HANGING_MARGIN = 0.75
"""The same for a mask that hangs from one ear: some 17 cm long, it reaches 10 cm below the jaw beside it."""

LONG_TYPES, SKIRT = ("scarf",), 0.5
"""Types that hang over the neck by their nature, as wide as the jaw, and how far below it, in face widths (7 cm)."""

PULLED_DOWN = 0.25
"""The same for a mask pulled down to the chin or below it, in face widths (3.5 cm): on photographs of worn ones they
hang before the throat by as much."""

HIDDEN, ON_EYE = 0.5, 0.1
"""Opacity from which a pixel counts as hidden, and as touched where it lies on an eye."""

COVERED, FREE = 0.99, 0.05
"""Share of a part that must be hidden, and may be, where the style says `covered` and `free`."""

PRESENT = 0.05
"""Least area of a visible mask, in square face widths."""


@dataclass(frozen=True)
class Rule:
    """What a wear style asks of the parts.

    Attributes:
        limits: least and greatest hidden share by part.
        eyes: whether both eyes must be hidden, instead of untouched.
        margin: of the head's outline, in face widths.
        skirt: how far below the jaw the neck belongs to that outline, in face widths.
    """

    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    eyes: bool = False
    margin: float = MARGIN
    skirt: float = 0.0


_COVERED, _FREE = (COVERED, 1.0), (0.0, FREE)
# A mask ends somewhere on the chin's underside: half of what is seen of the chin says that it holds it.
_HELD, _BARE = (0.5, 1.0), (0.0, 0.25)

RULES: dict[str, Rule] = {
    "correct": Rule({"nose": _COVERED, "mouth": _COVERED, "chin": _HELD}),
    "nose_out": Rule({"nose tip": _FREE, "mouth": _COVERED, "chin": _HELD}),
    "chin": Rule({"nose": _FREE, "mouth": _FREE, "chin": _HELD}, skirt=PULLED_DOWN),
    "chin_out": Rule({"nose": _COVERED, "mouth": _COVERED, "chin": _BARE}),
    "hanging": Rule({"nose": _FREE, "mouth": _FREE, "chin": _BARE}, margin=HANGING_MARGIN, skirt=PULLED_DOWN),
    "over_eyes": Rule({"mouth": _FREE}, eyes=True),
}
"""By wear style. Every style but `over_eyes` leaves the eyes alone, and none leaves the head's outline."""


class Truth:
    """The parts and the outline of one portrait, as pixels.

    Args:
        portrait: with its hand-placed points.
    """

    def __init__(self, portrait: Portrait) -> None:
        self.portrait = portrait
        self._shape = portrait.rgb.shape[:2]
        self._skirts: dict[float, FloatArray] = {}
        self.parts = {name: self._hull(portrait.points[list(indices)]) for name, indices in PARTS.items()}

    def _hull(self, points: FloatArray) -> BoolArray:
        filled = np.zeros(self._shape, dtype=np.uint8)
        cv2.fillConvexPoly(filled, cv2.convexHull(np.round(points * 16).astype(np.int32)), 1, shift=4)
        return np.asarray(filled > 0)

    @cached_property
    def head(self) -> BoolArray:
        """(H, W): the hull of jaw, ears and hairline, with that of jaw and neck."""
        points = self.portrait.points
        return self._hull(points[[*JAW, *EARS, *HAIRLINE]]) | self._hull(points[[*JAW[1:-1], *NECK]])

    @cached_property
    def beyond(self) -> FloatArray:
        """(H, W): distance of every pixel from the head's outline, in face widths; 0 inside."""
        return self._away(self.head)

    def beyond_skirt(self, skirt: float) -> FloatArray:
        """The same from an outline that takes in the neck down to so many face widths below the jaw."""
        if skirt not in self._skirts:
            points = self.portrait.points
            lower = points[list(JAW)] + skirt * self.portrait.face_width * self._down
            wider = self.head | self._hull(np.concatenate([points[[*JAW, *NECK]], lower]))
            self._skirts[skirt] = self._away(wider)
        return self._skirts[skirt]

    def _away(self, area: BoolArray) -> FloatArray:
        away = cv2.distanceTransform((~area).astype(np.uint8), cv2.DIST_L2, 5)
        return np.asarray(away / self.portrait.face_width)

    def allowed(self, style: str, mask_type: str) -> FloatArray:
        """(H, W): distance from the outline that this type may fill in this style, in face widths; 0 inside."""
        skirt = max(RULES[style].skirt, SKIRT if mask_type in LONG_TYPES else 0.0)
        return self.beyond_skirt(skirt) if skirt else self.beyond

    @property
    def _right(self) -> FloatArray:
        """(2,) unit vector across the face, towards the picture's right on an upright head."""
        across = self.portrait.points[RIGHT_JAW] - self.portrait.points[LEFT_JAW]
        return np.asarray(across / np.linalg.norm(across))

    @property
    def _down(self) -> FloatArray:
        return np.array([-self._right[1], self._right[0]])

    def faults(self, alpha: FloatArray, style: str, mask_type: str = "") -> list[str]:
        """What is wrong with a mask worn in this style; empty where nothing is.

        Args:
            alpha: (H, W) opacity of the mask's sheet, 0..1.
            style: a wear style.
            mask_type: some types may reach further down.
        """
        rule, hidden, found = RULES[style], alpha >= HIDDEN, []
        for part, (least, most) in rule.limits.items():
            share = float(hidden[self.parts[part]].mean())
            if not least <= share <= most:
                bound = f"at least {least:.0%}" if share < least else f"at most {most:.0%}"
                found.append(f"{part} covered {share:.1%}, {bound}")
        found += self._eye_faults(alpha, rule)
        found += self._spill(hidden, rule.margin, self.allowed(style, mask_type))
        area = float(hidden.sum()) / self.portrait.face_width**2
        if area < PRESENT:
            found.append(f"mask of {area:.1%} of a square face width, at least {PRESENT:.0%}")
        return found

    def _eye_faults(self, alpha: FloatArray, rule: Rule) -> list[str]:
        found = []
        for eye in ("left eye", "right eye"):
            inside = alpha[self.parts[eye]]
            if rule.eyes and (share := float((inside >= HIDDEN).mean())) < COVERED:
                found.append(f"{eye} covered {share:.1%}, at least {COVERED:.0%}")
            elif not rule.eyes and (touched := int((inside >= ON_EYE).sum())):
                found.append(f"{eye} touched on {touched / inside.size:.1%}")
        return found

    def _spill(self, hidden: BoolArray, margin: float, beyond: FloatArray) -> list[str]:
        out = hidden & (beyond > margin)
        if not out.any():
            return []
        rows, columns = np.nonzero(out)
        worst = int(beyond[rows, columns].argmax())
        side = self._side(np.array([columns[worst], rows[worst]], dtype=np.float64))
        reach = float(beyond[rows[worst], columns[worst]])
        return [f"spill {side}, {reach:.1%} of the face width, at most {margin:.0%}"]

    def _side(self, place: FloatArray) -> str:
        """Where a pixel lies beside the face, in the face's own directions: left is the picture's left."""
        away = place - self.portrait.points[[LEFT_JAW, RIGHT_JAW]].mean(0)
        across, down = float(away @ self._right), float(away @ self._down)
        half = self.portrait.face_width / 2
        height = "below" if down > 0.45 * half else "above" if down < -0.45 * half else "at the mouth"
        return f"{'left' if across < 0 else 'right'} {height}" if abs(across) > 0.4 * half else f"middle {height}"

"""Crops of faces with masks, the training sets of `benchmarks.real_masks`: our variants, whole or with a part of the
engine taken away."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.photos import read_photo
from datasets.workers import Progress, map_files
from synth import Face, MaskEngine, PhotoRefusedError
from synth.engine import Prepared
from synth.light import Light
from synth.looks import Look, list_mask_types, mask_type, sample_look
from synth.pose import CAMERA_DISTANCE, Pose
from synth.shape import MEAN_FACE
from synth.surface import Outline
from synth.warp import HeadToPicture
from synth.wear import get_wear_style, mask_state_of

STATES = ("wear", "incorrect", "not_wear")
SIDE = 96
"""Of a stored crop, in pixels."""

PARTS = ("light", "geometry", "looks", "spread", "tilts")
"""What can be taken away from the engine."""

ORDERS = ("correct", "correct", "incorrect", "incorrect", "incorrect", "not_wear", "not_wear")

COMMON = {"surgical": 8.0, "cloth": 1.5, "printed": 1.5, "black": 1.5, "kf94": 1.5, "scarf": 0.5, "n95_valve": 0.5}
"""How often each mask type is drawn beside the others, 1 where it isn't named: most masks worn are surgical ones."""

TURNED, TILTED = 18.0, 9.0
"""Yaw and pitch in degrees from which a face gives twice the variants, and three times from half as much again: few
photographs of the samples show turned, raised or lowered heads, and people in the street seldom look into a camera."""

TILTS = ((-20.0, -7.0), (7.0, 18.0))
"""Degrees by which heads are raised and lowered; each photo gives its variants again at one of each, where it can."""

TURNS, AHEAD = (0.0, 18.0), 5.0
"""Degrees by which those heads are turned to the side as well, either way where they look so nearly ahead, else further
the way they look."""

INCORRECT = {"nose_out": 0.46, "chin": 0.32, "chin_out": 0.03, "hanging": 0.14, "over_eyes": 0.05}
"""How often each wrong wear style is drawn."""

BELOW, BELOW_HANGING = (0.08, 0.45), (0.22, 0.5)
"""How much a crop shows below the chin, as a share of brows to chin: what hangs there must not be cut off."""


@dataclass(frozen=True)
class CropTask:
    """One photo: its landmarks, and which part of the engine is left out (empty: none)."""

    path: Path
    landmarks: NDArray[np.float64]
    without: str
    seed: int


class Middle:
    """Stands in for a random generator and always draws the middle: a wear style without spread."""

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """The middle of the range."""
        return (low + high) / 2

    def normal(self, mean: float = 0.0, spread: float = 1.0) -> float:
        """The mean."""
        return mean

    def random(self) -> float:
        """One half."""
        return 0.5

    def beta(self, a: float, b: float) -> float:
        """The mean."""
        return a / (a + b)


class Sticker(HeadToPicture):
    """A flat picture of the mask on the face: shifted, scaled and turned with it, but seen from the front always."""

    def __init__(self, landmarks: NDArray[np.float64]) -> None:
        flat = MEAN_FACE[17:, :2]
        matrix, _ = cv2.estimateAffinePartial2D(flat.astype(np.float32), landmarks[17:].astype(np.float32))
        size = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        turn = np.eye(3)
        turn[:2, :2] = matrix[:, :2] / size
        self.pose = Pose(turn, np.array([0.0, 0.0, -CAMERA_DISTANCE]), size * CAMERA_DISTANCE, matrix[:, 2], 0.0)

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 3) head coordinates to (..., 2) pixels, without depth."""
        return np.asarray(self.pose.project(points * [1.0, 1.0, 0.0]))


@lru_cache(maxsize=1)
def _engine() -> MaskEngine:
    return MaskEngine()


def _plain_look() -> Look:
    return Look("surgical", (80.0, -9.0, -16.0), (50.0, 0.0, 0.0), (92.0, 0.0, 2.0), 1.0, "", 0)


def _reduced(ready: Prepared, without: str) -> Prepared:
    if without == "light":
        return replace(ready, light=Light.flat())
    if without == "geometry":
        return replace(ready, to_picture=Sticker(ready.face.landmarks))
    return ready


def _outline(style: str, look: Look | None) -> Outline | None:
    if look is None:
        return None
    return get_wear_style(style).place(mask_type(look.mask_type).cut, Middle())  # type: ignore[arg-type]


def crop_of(
    rgb: NDArray[np.uint8], face: Face, rng: np.random.Generator, below: tuple[float, float] = BELOW
) -> NDArray[np.uint8]:
    """The head, as a detector of heads would box it now wider and now tighter: (SIDE, SIDE, 3) uint8."""
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    wide, tall = high - low
    x0, x1 = low[0] - wide * rng.uniform(0.02, 0.45), high[0] + wide * rng.uniform(0.02, 0.45)
    y0, y1 = low[1] - tall * rng.uniform(0.25, 0.8), high[1] + tall * rng.uniform(*below)
    x0, y0 = max(round(x0), 0), max(round(y0), 0)
    part = rgb[y0 : max(round(y1), y0 + 8), x0 : max(round(x1), x0 + 8)]
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def find_face(path: Path) -> NDArray[np.float64] | None:
    """Landmarks of the photo's face, (68, 2), or None."""
    try:
        return np.asarray(_engine().prepare(read_photo(path).rgb).face.landmarks)
    except PhotoRefusedError:
        return None


def times(pose: Pose) -> int:
    """How often as many variants as others a head gives that is turned, raised or lowered: 1 to 3."""
    yaw, pitch, _ = pose.angles
    far = max(abs(yaw) / TURNED, abs(pitch) / TILTED)
    return 1 if far < 1 else 2 if far < 1.5 else 3


def make_crops(task: CropTask) -> list[tuple[NDArray[np.uint8], int, str]]:
    """One photo's variants as (crop, mask state, wear style)."""
    rng = np.random.default_rng([task.seed, int(hashlib.sha256(task.path.name.encode()).hexdigest()[:8], 16)])
    try:
        whole = _engine().prepare(read_photo(task.path).rgb, landmarks=task.landmarks)
    except PhotoRefusedError:
        return []
    made = _variants(task, whole, ORDERS * times(whole.pose), rng)
    for low, high in TILTS if task.without != "tilts" else ():
        tilted = _engine().tilt(whole, float(rng.uniform(low, high)), _further(whole.pose, rng))
        made += [] if tilted is whole else _variants(task, tilted, ORDERS, rng)
    return made


def _further(pose: Pose, rng: np.random.Generator) -> float:
    """Degrees by which a head is turned to the side."""
    yaw = pose.angles[0]
    way = np.sign(yaw) if abs(yaw) > AHEAD else rng.choice([-1.0, 1.0])
    return float(way * rng.uniform(*TURNS))


def _variants(
    task: CropTask, whole: Prepared, orders: Sequence[str], rng: np.random.Generator
) -> list[tuple[NDArray[np.uint8], int, str]]:
    ready, made = _reduced(whole, task.without), []
    for order in orders:
        style = str(rng.choice(list(INCORRECT), p=list(INCORRECT.values()))) if order == "incorrect" else order
        fixed: dict[str, Any] = {"mask": _any_type(style, rng)}
        if task.without == "looks":
            fixed["mask"] = _plain_look()
        try:
            if task.without == "spread" and style != "not_wear":
                fixed = _without_spread(style, rng)
            masked = _engine().mask(ready, wear=style, seed=int(rng.integers(2**31)), **fixed)
        except PhotoRefusedError:
            continue
        below = BELOW_HANGING if style == "hanging" else BELOW
        made.append((crop_of(masked.rgb, whole.face, rng, below), STATES.index(mask_state_of(style)), style))
    return made


def _any_type(style: str, rng: np.random.Generator) -> str:
    types = list_mask_types(style)
    weights = np.array([COMMON.get(name, 1.0) for name in types])
    return str(rng.choice(types, p=weights / weights.sum()))


def _without_spread(style: str, rng: np.random.Generator) -> dict[str, Any]:
    look = sample_look(_any_type(style, rng), rng)
    return {"mask": look, "outline": _outline(style, look)}


def landmarks_of(
    paths: Sequence[Path], workers: int, progress: Progress | None = None
) -> dict[Path, NDArray[np.float64]]:
    """The landmarks of every photo that passes the gate."""
    found = map_files(find_face, list(paths), workers=workers, crashed=lambda _: None, progress=progress)
    return {path: points for path, points in zip(paths, found, strict=True) if points is not None}

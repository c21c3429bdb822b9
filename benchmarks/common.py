"""What the benchmarks share: where the real photographs lie, and portraits with hand-placed points.

The photographs are no part of this repository. They are looked for in the folder that PALETTE_REALDATA names, by
default `../shared/realdata` beside the repository.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from datasets.photos import read_photo
from synth.arrays import FloatArray, RgbImage

REPOSITORY = Path(__file__).resolve().parents[1]
PORTRAITS = "london_ccby4"
"""Studio portraits with 189 hand-placed points each."""

FACES = ("fairface540_ccby4/fairface", "fairface_train_ccby4", "All-Age-Faces Dataset/original images")
"""Folders of photographs of one face each."""

N_POINTS = 189
LEFT_JAW, RIGHT_JAW = 125, 133
"""Points of the jaw's two ends at the height of the mouth; between them is what is called a face's width here."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A photograph with hand-placed points.

    Attributes:
        name: of its file, without suffix.
        rgb: (H, W, 3) uint8, RGB.
        points: (189, 2) float64, x, y in pixels.
    """

    name: str
    rgb: RgbImage
    points: FloatArray

    @property
    def face_width(self) -> float:
        """Between the jaw's ends, in pixels."""
        return float(np.linalg.norm(self.points[RIGHT_JAW] - self.points[LEFT_JAW]))


def realdata(name: str) -> Path:
    """A folder of real photographs; says where it was looked for and ends the command with 2 where it is missing."""
    root = Path(os.environ.get("PALETTE_REALDATA", REPOSITORY.parent / "shared" / "realdata"))
    if not (root / name).is_dir():
        print(f"no photographs at {root / name}: set PALETTE_REALDATA to the folder that holds {name}", file=sys.stderr)
        raise SystemExit(2)
    return root / name


def load_points(path: Path) -> FloatArray:
    """(189, 2) points x, y of a `.tem` file: a line with their number, then a line for each.

    Raises:
        ValueError: another number of points.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    points = np.array([line.split() for line in lines[1 : 1 + int(lines[0])]], dtype=np.float64)
    if points.shape != (N_POINTS, 2):
        raise ValueError(f"{path.name}: expected {N_POINTS} points x y, got an array of shape {points.shape}")
    return points


def load_portrait(path: Path, side: int) -> Portrait:
    """A photograph and the `.tem` beside it, scaled to this longest side in pixels."""
    whole = Portrait(path.stem, read_photo(path).rgb, load_points(path.with_suffix(".tem")))
    return scaled(whole, side / max(whole.rgb.shape[:2]))


def scaled(portrait: Portrait, factor: float) -> Portrait:
    """The portrait `factor` times as large, points and all."""
    height, width = portrait.rgb.shape[:2]
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    rgb = np.asarray(cv2.resize(portrait.rgb, size, interpolation=how), dtype=np.uint8)
    # cv2.resize maps pixel centres: (x + 0.5) * ratio - 0.5.
    ratio = np.array([size[0] / width, size[1] / height])
    return Portrait(portrait.name, rgb, (portrait.points + 0.5) * ratio - 0.5)


def rolled(portrait: Portrait, degrees: float) -> Portrait:
    """The portrait turned clockwise in its plane, padded by its own edges so that nothing is cut off."""
    height, width = portrait.rgb.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, 1.0)
    reach = np.abs(turn[:, :2]) @ [width, height]
    size = (int(np.ceil(reach[0] - 1e-6)), int(np.ceil(reach[1] - 1e-6)))
    turn[:, 2] += (np.array(size) - [width, height]) / 2
    rgb = cv2.warpAffine(portrait.rgb, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    points = portrait.points @ turn[:, :2].T + turn[:, 2]
    return Portrait(portrait.name, np.asarray(rgb, dtype=np.uint8), points)


def evenly(items: Sequence[Path], count: int) -> list[Path]:
    """At most `count` of the items, spread over all of them."""
    if count >= len(items):
        return list(items)
    return [items[index * len(items) // count] for index in range(count)]


def outside_repository(folder: Path) -> Path:
    """The folder, made; ends the command with 2 where it lies in the repository, which photographs must not enter."""
    if folder.resolve().is_relative_to(REPOSITORY):
        print(f"{folder} lies in the repository: photographs don't belong there, name another folder", file=sys.stderr)
        raise SystemExit(2)
    folder.mkdir(parents=True, exist_ok=True)
    return folder

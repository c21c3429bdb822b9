"""Finding faces: a histogram-of-gradients detector at rising sizes, the slow network last, then 68 landmarks.

Detectors and landmarks are dlib's (Kazemi and Sullivan, "One millisecond face alignment", CVPR 2014, trained on
iBUG 300-W, whose terms exclude commercial use). They sit behind `FaceFinder`, so another can take their place.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np

from synth.arrays import RgbImage
from synth.errors import ModelFileError
from synth.face import Face

LANDMARK_FILE = "shape_predictor_68_face_landmarks.dat"
CNN_FILE = "mmod_human_face_detector.dat"

HOG_LEVELS = ((320, 0), (480, 1), (900, 1))
"""(longest side in pixels, times the picture is doubled): the first finds faces of a quarter of the picture in 3 ms,
the second most others in 21 ms; sizes and times measured on one core."""

CNN_SIDE = 300
"""Longest side for the network, in pixels: about 0.4 s on one core, so it is the last resort."""

CNN_SMALLEST = 32
"""Shortest side for the network, in pixels: in less it finds no face, and in much less its filters don't fit."""

LANDMARK_SIDE = 1600
"""Landmarks are placed on a picture of at most this longest side: more pixels cost time and move no point."""


def model_file(name: str) -> Path:
    """Where a model of the package face-recognition-models lies; found without importing that package.

    Raises:
        ModelFileError: the package or the file is not installed.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "models" / name
        if path.is_file():
            return path
    raise ModelFileError(f"expected the model {name} of face-recognition-models, found none: install that package")


class FaceFinder:
    """Finds the faces of a photo and their landmarks.

    Args:
        use_cnn: fall back to the network where the fast detector finds nothing.
    """

    def __init__(self, *, use_cnn: bool = True) -> None:
        self.use_cnn = use_cnn

    @cached_property
    def _hog(self) -> Any:
        return dlib.get_frontal_face_detector()

    @cached_property
    def _cnn(self) -> Any:
        return dlib.cnn_face_detection_model_v1(str(model_file(CNN_FILE)))

    @cached_property
    def _predictor(self) -> Any:
        return dlib.shape_predictor(str(model_file(LANDMARK_FILE)))

    def find(self, rgb: RgbImage) -> list[Face]:
        """The faces of a photo, the largest first; empty where there are none.

        The sizes are tried in turn and the first that shows a face ends the search, so that much smaller faces beside
        a large one are not looked for.

        Args:
            rgb: (H, W, 3) uint8, RGB.
        """
        rgb = np.ascontiguousarray(rgb)
        for boxes in self._attempts(rgb):
            if boxes:
                faces = [self._with_landmarks(rgb, *found) for found in boxes]
                return sorted(faces, key=lambda face: (-face.area, *face.box.tolist()))
        return []

    def _attempts(self, rgb: RgbImage) -> Iterator[list[tuple[dlib.rectangle, float, str]]]:
        longest = max(rgb.shape[:2])
        tried: set[tuple[int, int]] = set()
        for side, doubled in HOG_LEVELS:
            level = (min(side, longest), doubled)
            if level not in tried:
                tried.add(level)
                small, scale = _shrink(rgb, side)
                gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
                boxes, scores, _ = self._hog.run(gray, doubled, 0.0)
                yield [(_scaled(box, scale), float(s), "hog") for box, s in zip(boxes, scores, strict=True)]
        if self.use_cnn:
            small, scale = _shrink(rgb, CNN_SIDE)
            found = self._cnn(small, 0) if min(small.shape[:2]) >= CNN_SMALLEST else []
            yield [(_scaled(each.rect, scale), float(each.confidence), "cnn") for each in found]

    def _with_landmarks(self, rgb: RgbImage, box: Any, score: float, detector: str) -> Face:
        small, scale = _shrink(rgb, LANDMARK_SIDE)
        shape = self._predictor(small, _scaled(box, 1 / scale))
        points = np.array([(p.x, p.y) for p in shape.parts()], dtype=np.float64) * scale
        sides = np.array([box.left(), box.top(), box.right(), box.bottom()], dtype=np.float64)
        return Face(sides, points, score, detector)


def _shrink(rgb: RgbImage, side: int) -> tuple[RgbImage, float]:
    """The photo with its longest side at most `side`, and the factor that leads back."""
    height, width = rgb.shape[:2]
    scale = max(height, width) / side
    if scale <= 1:
        return rgb, 1.0
    size = (max(round(width / scale), 1), max(round(height / scale), 1))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale


def _scaled(box: Any, scale: float) -> Any:
    return dlib.rectangle(
        round(box.left() * scale), round(box.top() * scale), round(box.right() * scale), round(box.bottom() * scale)
    )

"""Finding faces: a histogram-of-gradients detector at rising sizes, the network last, then 68 landmarks.

Detectors and landmarks are dlib's (Kazemi and Sullivan, "One millisecond face alignment", CVPR 2014, trained on
iBUG 300-W, whose terms exclude commercial use); the network is dlib's too, run by `synth.network`. They sit behind
`FaceFinder`, so another can take their place.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cv2
import dlib
import numpy as np

from synth.arrays import FloatArray, RgbImage
from synth.errors import ModelFileError, PhotoRefusedError, SynthUsageError
from synth.face import STEADY, Face
from synth.levels import LEVELS, Level, moved
from synth.network import FaceNetwork
from synth.pose import fit_pose
from synth.predictor import UPRIGHT, place_landmarks
from synth.steady import steady_landmarks

FINDER_VERSION = "5"
"""Raised with every change that finds other faces or places other landmarks, so that none kept before pass for new."""

LANDMARK_FILE = "shape_predictor_68_face_landmarks.dat"
CNN_FILE = "mmod_human_face_detector.dat"

PLAUSIBLE = 0.1
"""Landmarks that miss the mean face by more, in head units, are looked for at the next level too: most of what the fast
detector takes for faces by mistake shows itself so."""

SURE = 0.45
"""A face that the fast detector scores higher has its landmarks where they belong, unless they lean another way than
the detector is for; of others it is measured."""

RIVALS = 0.67
"""Smallest side of other faces that are looked for, as a share of the largest's: where sides differ more, the larger
face is meant."""

WINDOW, FINEST = 80, 1200
"""Side of the smallest face that the fast detector knows, and the longest side it is shown, in pixels."""

TILTS = {3: -30.0, 4: 30.0}
"""The fast detector is five: ahead, turned left, turned right, and these two for heads rolled so, degrees clockwise:
on 25 faces rolled by 30 to 40 degrees either way 80 of 83 findings are theirs."""

SMALLEST = 32
"""Shortest side for the network, in pixels: in less it finds no face, and in much less its filters don't fit."""


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


def check_budget(budget_ms: float | None) -> None:
    """Makes sure that something can be looked for in so many nominal milliseconds.

    Raises:
        SynthUsageError: the budget is not positive.
    """
    if budget_ms is not None and not budget_ms > 0:
        raise SynthUsageError(f"expected a budget above 0 milliseconds for finding faces, got {budget_ms}")


Aside = Callable[[Face, tuple[int, ...]], bool]
"""Tells of a face and a photo's shape whether somebody else is likelier meant."""


@dataclass(frozen=True, eq=False)
class _Finding:
    """What a detector shows: middle (2,) and side of its box in the photo's pixels, the heads' roll, and the score."""

    middle: FloatArray
    side: float
    roll: float
    score: float

    @cached_property
    def box(self) -> FloatArray:
        """(4,) left, top, right, bottom, whole pixels."""
        return np.round([*(self.middle - self.side / 2), *(self.middle + self.side / 2)])


class FaceFinder:
    """Finds the faces of a photo and their landmarks.

    Args:
        use_cnn: ask the network where the fast detector finds nothing, or nobody likely (`find`).
        budget_ms: nominal milliseconds that looking for faces may take in a photo; without limit where None. Nominal:
            each level costs what it takes a core of 2020 in the mean, by its pixels (`synth.levels`), and no clock is
            read, so that the same photo gives the same faces on every machine. A level that doesn't fit is left out;
            the first never is.

    Raises:
        SynthUsageError: a budget that is not positive.
    """

    def __init__(self, *, use_cnn: bool = True, budget_ms: float | None = None) -> None:
        check_budget(budget_ms)
        self.use_cnn, self.budget_ms = use_cnn, budget_ms

    def __getstate__(self) -> dict[str, Any]:
        """Without the models: each process reads its own when it first needs them."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_hog", "_cnn", "_predictor")}

    def identity(self) -> str:
        """What decides which faces are found: two finders with the same find the same in the same pixels."""
        return f"finder {FINDER_VERSION}, dlib {dlib.__version__}, cnn {self.use_cnn}, budget {self.budget_ms}"

    @cached_property
    def _hog(self) -> Any:
        return dlib.get_frontal_face_detector()

    @cached_property
    def _cnn(self) -> FaceNetwork:
        return FaceNetwork(model_file(CNN_FILE))

    @cached_property
    def _predictor(self) -> Any:
        return dlib.shape_predictor(str(model_file(LANDMARK_FILE)))

    def find(
        self,
        rgb: RgbImage,
        rivals: float | Callable[[Face, tuple[int, ...]], float] = RIVALS,
        aside: Aside | None = None,
    ) -> list[Face]:
        """The faces of a photo, the largest first; empty where there are none.

        The levels are tried in turn and the first that shows a face whose landmarks can be relied on ends the search.
        Where no level shows one, the least doubtful finding is returned alone, and the gate says what is wrong with
        it; the network, which is no better at landmarks, is asked then only for somebody likelier (`aside`).

        Args:
            rgb: (H, W, 3) uint8, RGB.
            rivals: the search goes on for other faces down to this share of the largest's side, 0 to 1 (as far as
                photos of 1200 pixels show them); or what tells it of the largest face and the photo's shape.
            aside: where it says of all that a level shows that somebody else is likelier meant, the network is asked
                too, as the fast detector sees no profiles; of what it shows the landmarks may be doubtful.
        """
        rgb = np.ascontiguousarray(rgb)
        doubtful: list[Face] = []
        for level, spent in self._levels(rgb.shape):
            if level.detector == "cnn" and any(
                _doubt(face) < 1 and not _at_side(face, rgb, aside) for face in doubtful
            ):
                break
            # Of a face judged already only a turned picture can show more.
            found = self._at(rgb, level, () if len(level.rolls) > 1 else doubtful)
            faces = sorted(filter(_believed, found), key=lambda face: (-face.area, *face.box.tolist()))
            if faces:
                share = rivals(faces[0], rgb.shape) if callable(rivals) else rivals
                finer = self._finer(rgb, level, faces, share)
                if finer is not None and self._affords(spent + finer.cost(rgb.shape)):
                    spent += finer.cost(rgb.shape)
                    faces += filter(_believed, self._at(rgb, finer, faces))
                if all(_at_side(face, rgb, aside) for face in faces):
                    faces += self._by_network(rgb, level, spent, faces)
                return sorted(faces, key=lambda face: (-face.area, *face.box.tolist()))
            doubtful += found
        return sorted(doubtful, key=lambda face: (_at_side(face, rgb, aside), _doubt(face)))[:1]

    def _levels(self, shape: tuple[int, ...]) -> Iterator[tuple[Level, float]]:
        """Those that the budget allows for a photo of this shape, and what is spent with each."""
        spent = 0.0
        for level in LEVELS:
            if max(shape[:2]) < level.smallest or (level.detector == "cnn" and not self.use_cnn):
                continue
            cost = level.cost(shape)
            if level is LEVELS[0] or self._affords(spent + cost):
                spent += cost
                yield level, spent

    def _affords(self, cost: float) -> bool:
        return self.budget_ms is None or cost <= self.budget_ms

    def _by_network(self, rgb: RgbImage, done: Level, spent: float, faces: list[Face]) -> list[Face]:
        """What the network shows beside these faces at its next level, where the rest of the budget allows it."""
        left = (level for level in LEVELS[LEVELS.index(done) + 1 :] if level.detector == "cnn" and self.use_cnn)
        level = next(left, None)
        if level is None or not self._affords(spent + level.cost(rgb.shape)):
            return []
        return self._at(rgb, level, faces)

    def _finer(self, rgb: RgbImage, level: Level, faces: list[Face], rivals: float) -> Level | None:
        """The level that shows faces too small for this one and large enough to matter; None where there are none."""
        if rivals >= 1:
            return None
        largest = max(face.box[2] - face.box[0] for face in faces) / max(rgb.shape[:2])
        finer = Level("hog", min(int(np.ceil(WINDOW / (rivals * max(largest, 1e-3)) / 40)) * 40, FINEST))
        return None if finer.side <= level.side and level.detector == "hog" else finer

    def _at(self, rgb: RgbImage, level: Level, known: Sequence[Face] = ()) -> list[Face]:
        """The faces that one level shows beside those known already."""
        found: list[_Finding] = []
        for picture, back, roll in level.pictures(rgb):
            for box, score, tilt in self._boxes(picture, level):
                middle, side = moved(box.reshape(2, 2).mean(0), back), float((box[2] - box[0]) * np.hypot(*back[:, 0]))
                if not any(_same_place(middle, side, face.box) for face in known):
                    found.append(_Finding(middle, side, roll + tilt, score))
        return [self._face(rgb, level, each) for each in (_apart(found) if len(level.rolls) > 1 else found)]

    def _face(self, rgb: RgbImage, level: Level, finding: _Finding) -> Face:
        """A finding with its landmarks."""
        box, fast, spread = (finding.middle, finding.side, finding.roll), level.detector == "hog", 0.0
        points = place_landmarks(self._predictor, rgb, *box)
        if not fast or finding.score <= SURE or _lean(points, finding.roll) > UPRIGHT:
            points, spread = steady_landmarks(self._hog, self._predictor, rgb, points, box, fast)
        return Face(finding.box, points, finding.score, level.detector, spread)

    def _boxes(self, picture: RgbImage, level: Level) -> list[tuple[FloatArray, float, float]]:
        """Box, score and roll of each finding, in the pixels of a picture."""
        if level.detector == "hog":
            found = self._hog.run(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 0, level.least)
            return [
                (_sides(box), float(score), TILTS.get(which, 0.0)) for box, score, which in zip(*found, strict=True)
            ]
        if min(picture.shape[:2]) < SMALLEST:
            return []
        return [(box, score, 0.0) for box, score in self._cnn.find(picture)]


def _sides(box: Any) -> FloatArray:
    return np.array([box.left(), box.top(), box.right(), box.bottom()], dtype=np.float64)


@lru_cache(maxsize=64)
def _doubt(face: Face) -> float:
    """Of the landmarks against the mean face: below 1 they are plausible."""
    try:
        return fit_pose(face.landmarks).error / PLAUSIBLE
    except PhotoRefusedError:
        return 1 / PLAUSIBLE


def _believed(face: Face) -> bool:
    return _doubt(face) < 1 and face.spread < STEADY


def _at_side(face: Face, rgb: RgbImage, aside: Aside | None) -> bool:
    return aside is not None and aside(face, rgb.shape)


def _lean(points: FloatArray, roll: float) -> float:
    """By how many degrees a head's roll differs from this one."""
    try:
        return abs((fit_pose(points).angles[2] - roll + 180) % 360 - 180)
    except PhotoRefusedError:
        return 180.0


def _apart(findings: list[_Finding]) -> list[_Finding]:
    """Without those that several turns of the picture showed: the detector scores the true one highest."""
    kept: list[_Finding] = []
    for finding in sorted(findings, key=lambda each: -each.score):
        box = finding.box
        if not any(_same_place(box.reshape(2, 2).mean(0), float(box[2] - box[0]), other.box) for other in kept):
            kept.append(finding)
    return kept


def _same_place(middle: FloatArray, side: float, box: FloatArray) -> bool:
    """Whether a box is of the same face as another of this middle and side."""
    gap = np.abs(middle - box.reshape(2, 2).mean(0)).max()
    return bool(gap <= min(side, float(box[2] - box[0])) / 2)

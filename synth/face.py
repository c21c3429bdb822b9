"""One face in a photo: where it is and its 68 landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.arrays import FloatArray
from synth.errors import SynthUsageError
from synth.shape import LEFT_EYE, RIGHT_EYE

N_LANDMARKS = 68

STEADY = 0.16
"""Landmarks that follow the detector's box by more, in head units, are in no place of their own (`Face.spread`)."""


@dataclass(frozen=True, eq=False)
class Face:
    """A detected face.

    Attributes:
        box: (4,) float64, x0, y0, x1, y1 in pixels of the photo.
        landmarks: (68, 2) float64, x, y in pixels, in iBUG 300-W order; may lie outside the photo.
        score: the detector's confidence, comparable within one detector only; 0 for given landmarks.
        detector: which detector found it: `hog`, `cnn` or `given`.
        spread: how far the landmarks depend on the detector's box, in head units; more where the detector sees no such
            face there, or a profile (`synth.steady`). 0 where that is known to be little, and for given landmarks.
    """

    box: FloatArray
    landmarks: FloatArray
    score: float = 0.0
    detector: str = "given"
    spread: float = 0.0

    def __post_init__(self) -> None:
        if self.landmarks.shape != (N_LANDMARKS, 2):
            raise SynthUsageError(f"expected landmarks of shape (68, 2), got {self.landmarks.shape}")
        if self.box.shape != (4,):
            raise SynthUsageError(f"expected a box x0, y0, x1, y1, got shape {self.box.shape}")

    @classmethod
    def from_landmarks(cls, landmarks: FloatArray) -> Face:
        """A face from landmarks alone; its box is theirs.

        Args:
            landmarks: (68, 2), x, y in pixels.

        Raises:
            SynthUsageError: of another shape.
        """
        points = np.asarray(landmarks, dtype=np.float64)
        if points.shape != (N_LANDMARKS, 2):
            raise SynthUsageError(f"expected landmarks of shape (68, 2), got {points.shape}")
        return cls(np.concatenate([points.min(0), points.max(0)]), points)

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return float(max(self.box[2] - self.box[0], 0) * max(self.box[3] - self.box[1], 0))

    @property
    def eye_distance(self) -> float:
        """Between the centres of the eyes, in pixels."""
        gap = self.landmarks[LEFT_EYE].mean(0) - self.landmarks[RIGHT_EYE].mean(0)
        return float(np.hypot(gap[0], gap[1]))

    def moved(self, matrix: FloatArray) -> Face:
        """The same face after the (2, 3) affine `matrix` has moved the picture's pixels."""
        points = self.landmarks @ matrix[:, :2].T + matrix[:, 2]
        corners = self.box.reshape(2, 2) @ matrix[:, :2].T + matrix[:, 2]
        return Face(corners.reshape(4), points, self.score, self.detector, self.spread)

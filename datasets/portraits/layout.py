"""Where the features of a face sit: the curves of lids, brows and lips that sculpting, painting and landmarks share.

All curves are for the right half of the picture (x >= 0), in head coordinates; the left half mirrors it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from datasets.portraits.camera import Floats, Pose
from datasets.portraits.person import Traits


@dataclass(frozen=True)
class Layout:
    """The features of one face with one expression.

    Attributes:
        traits: the face.
        pose: its expression.
    """

    traits: Traits
    pose: Pose

    @property
    def eye_half(self) -> float:
        """Half the length of an eye."""
        return 0.228 * self.traits.eye_size

    def eye_u(self, x: Floats) -> Floats:
        """Place along the eye: -1 at the inner corner, 1 at the outer."""
        return np.asarray((np.abs(x) - np.float32(self.traits.eye_x)) / np.float32(self.eye_half), np.float32)

    def lid_upper(self, u: Floats) -> Floats:
        """Edge of the upper lid, y at each ``eye_u``."""
        t = self.traits
        height = 0.092 * t.eye_open * t.eye_size * self.pose.open_eyes * (1 - 0.10 * max(self.pose.smile, 0))
        droop = 1 - 0.30 * t.sag * np.clip((u + 0.4) / 1.4, 0, 1)
        arch = np.power(np.clip(1 - u * u, 0, 1), 0.62) * (1 - 0.10 * u)
        return np.asarray(self._canthus(u) - height * droop * arch, np.float32)

    def lid_lower(self, u: Floats) -> Floats:
        """Edge of the lower lid, y at each ``eye_u``."""
        height = 0.062 * self.traits.eye_size * (1 - 0.38 * max(self.pose.smile, 0))
        arch = np.power(np.clip(1 - u * u, 0, 1), 0.72) * (1 + 0.14 * u)
        return np.asarray(self._canthus(u) + height * arch, np.float32)

    def _canthus(self, u: Floats) -> Floats:
        return np.asarray(0.006 - self.traits.eye_tilt * u, np.float32)

    def iris(self, side: int) -> tuple[float, float, float]:
        """Centre x, y and radius of the iris; ``side`` is 1 on the right of the picture, -1 on the left."""
        x = side * self.traits.eye_x + 0.05 * self.pose.gaze[0]
        return x, -0.018 + 0.03 * self.pose.gaze[1], 0.098

    def brow(self, x: Floats) -> Floats:
        """Middle of the brow, y at each x from 0.2 to 0.82."""
        t = self.traits
        v = (np.abs(x) - 0.2) / 0.62
        arch = 0.062 * t.brow_arch * np.sin(np.pi * np.clip(v, 0, 1) ** 1.35) - 0.03 * v
        lift = 0.06 * self.pose.raise_brows * (1 - 0.3 * v)
        return np.asarray(-0.335 + t.brow_y - arch - lift + 0.05 * v**3 + 0.035 * t.sag * v, np.float32)

    @property
    def nose_y(self) -> float:
        """The base of the nose, y."""
        return 0.765 * self.traits.nose_length

    @property
    def nose_half(self) -> float:
        """Half the width of the nose at the nostrils."""
        return 0.272 * self.traits.nose_width

    @property
    def mouth_half(self) -> float:
        """Half the width of the mouth."""
        return 0.405 * self.traits.mouth_width * (1 + 0.14 * self.pose.smile)

    @property
    def mouth_y(self) -> float:
        """The middle of the mouth's line, y."""
        return 1.135 + self.traits.mouth_y - 0.012 * max(self.pose.smile, 0)

    def lip_line(self, u: Floats) -> Floats:
        """Where the lips meet, y at each u = x / mouth_half."""
        corner = -0.075 * self.pose.smile + 0.035 * self.traits.sag + 0.012
        wave = 0.010 * np.cos(np.pi * np.clip(np.abs(u) / 0.62, 0, 1))
        return np.asarray(self.mouth_y + corner * u * u + wave, np.float32)

    def lip_top(self, u: Floats) -> Floats:
        """Upper edge of the upper lip, y at each u."""
        bow = 1 - 0.20 * np.exp(-((u / 0.12) ** 2)) + 0.05 * np.exp(-(((np.abs(u) - 0.22) / 0.12) ** 2))
        full = 0.098 * self.traits.lip_upper * (1 - 0.15 * max(self.pose.smile, 0))
        return np.asarray(self.lip_line(u) - full * bow * np.power(np.clip(1 - np.abs(u), 0, 1), 0.72), np.float32)

    def lip_bottom(self, u: Floats) -> Floats:
        """Lower edge of the lower lip, y at each u."""
        full = 0.128 * self.traits.lip_lower * (1 - 0.12 * max(self.pose.smile, 0))
        return np.asarray(self.lip_line(u) + full * np.power(np.clip(1 - u * u, 0, 1), 0.8), np.float32)

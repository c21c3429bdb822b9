"""Whether two photos are one picture: their pixels compared after one has been laid over the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.duplicates.fingerprint import mirrored_descriptors, small_gray, upright_descriptors

SIDE: Final = 320
"""Pixels of the longer side at which pictures are compared; decode at least so many."""
SURE_CORRELATION: Final = 0.75
"""Of 594 planted copies of face photographs none was below 0.88; of 157 pairs of strangers, candidates all, none above
0.42, but of drawn people, who share the code that drew them, some reached 0.66."""
LEAST_CORRELATION: Final = 0.6
LEAST_POINTS: Final = 20
"""A copy in black and white with other contrast had 0.62 and 28 points in place, those drawn people 16 at most."""
LEAST_OVERLAP: Final = 0.25

_KEYPOINTS: Final = 400
_RATIO: Final = 0.85
_LEAST_MATCHES: Final = 6
_FINE, _COARSE = 1.5, 6.0  # sigmas of the band of detail that is compared, pixels at SIDE

Gray = NDArray[np.uint8]
Affine = NDArray[np.float64]


@dataclass(frozen=True)
class Likeness:
    """How one picture lies over another.

    Attributes:
        correlation: -1..1, of the detail that both show; light, colour and large shades don't count.
        overlap: 0..1, the share of the smaller picture that both show.
        mirrored: One is the mirror image of the other.
        points: Keypoints of both that lie on each other; 0 where the pictures were laid edge to edge.
    """

    correlation: float
    overlap: float
    mirrored: bool
    points: int = 0

    @property
    def same_picture(self) -> bool:
        """Enough of it is shared, and there it agrees: surely, or fairly and in many points."""
        fairly = self.correlation >= LEAST_CORRELATION and self.points >= LEAST_POINTS
        return self.overlap >= LEAST_OVERLAP and (self.correlation >= SURE_CORRELATION or fairly)


def compare(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Likeness:
    """Lays the second picture over the first, as it is and mirrored, and compares what both show.

    Args:
        first: (H, W, 3) uint8, upright.
        second: Likewise, of any size.

    Returns:
        The best likeness found.
    """
    one, other = small_gray(first, SIDE), small_gray(second, SIDE)
    points, descriptors = upright_descriptors(one, _KEYPOINTS, _KEYPOINTS)
    points2, descriptors2 = upright_descriptors(other, _KEYPOINTS, _KEYPOINTS)
    best = Likeness(-1.0, 0.0, False)
    width = other.shape[1]
    for mirrored in (False, True):
        laid = np.ascontiguousarray(other[:, ::-1]) if mirrored else other
        there = points2 * [-1, 1, 1] + [width - 1, 0, 0] if mirrored else points2
        described = mirrored_descriptors(descriptors2) if mirrored else descriptors2
        tried = [(_whole(laid, one), 0), _by_points(there, described, points, descriptors)]
        for transform, agreeing in tried:
            if transform is not None:
                correlation, overlap = _correlate(one, laid, transform)
                if correlation > best.correlation:
                    best = Likeness(correlation, overlap, mirrored, agreeing)
    return best


def _whole(moved: Gray, onto: Gray) -> Affine:
    """Both show the same from edge to edge."""
    across, down = onto.shape[1] / moved.shape[1], onto.shape[0] / moved.shape[0]
    return np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2]])


def _by_points(
    moved: NDArray[np.float32],
    described: NDArray[np.float32],
    onto: NDArray[np.float32],
    descriptors: NDArray[np.float32],
) -> tuple[Affine | None, int]:
    """The transform that most matching keypoints agree on, and how many do; None where too few do."""
    if len(moved) < _LEAST_MATCHES or len(onto) < _LEAST_MATCHES:
        return None, 0
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(described, descriptors, k=2)
    good = [first for first, second in pairs if first.distance < _RATIO * second.distance]
    if len(good) < _LEAST_MATCHES:
        return None, 0
    start = np.array([moved[match.queryIdx, :2] for match in good], dtype=np.float32)
    end = np.array([onto[match.trainIdx, :2] for match in good], dtype=np.float32)
    cv2.setRNGSeed(0)
    found, inliers = cv2.estimateAffine2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=3.0, maxIters=1000)
    if found is None or int(inliers.sum()) < _LEAST_MATCHES:
        return None, 0
    return (np.asarray(found, dtype=np.float64) if _is_copy(found) else None), int(inliers.sum())


def _is_copy(transform: Affine) -> bool:
    """Copies are scaled, perhaps a little unevenly or turned a little; never sheared, or turned over."""
    linear = transform[:, :2]
    across, down = np.linalg.norm(linear[:, 0]), np.linalg.norm(linear[:, 1])
    if min(across, down) < 0.1 or max(across, down) > 10 or not 0.7 < across / down < 1.4:
        return False
    cosine = float(linear[:, 0] @ linear[:, 1]) / (across * down)
    return bool(abs(cosine) < 0.15 and linear[0, 0] > 0 and linear[1, 1] > 0)


def _correlate(onto: Gray, moved: Gray, transform: Affine) -> tuple[float, float]:
    """Correlation of the detail of both where both are, and that place's share of the smaller picture."""
    height, width = onto.shape
    laid = cv2.warpAffine(moved, transform, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    ones = np.ones(moved.shape, np.uint8)
    both = cv2.warpAffine(ones, transform, (width, height), flags=cv2.INTER_NEAREST) > 0
    scale = abs(float(np.linalg.det(transform[:, :2])))
    overlap = both.sum() / min(both.size, moved.size * scale)
    if overlap < LEAST_OVERLAP or both.sum() < 400:
        return -1.0, 0.0
    one, other = (_detail(picture)[both] for picture in (onto, laid))
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one @ one) * (other @ other)))
    return (float(one @ other) / size if size > 0 else -1.0), float(min(overlap, 1.0))


def _detail(picture: Gray) -> NDArray[np.float32]:
    """The picture's band of middling detail, each spot in proportion to how much is going on around it."""
    whole = picture.astype(np.float32)
    band = cv2.GaussianBlur(whole, (0, 0), _FINE) - cv2.GaussianBlur(whole, (0, 0), _COARSE)
    around = np.sqrt(cv2.GaussianBlur(band * band, (0, 0), 2 * _COARSE))
    return np.asarray(band / (around + 2.0), dtype=np.float32)

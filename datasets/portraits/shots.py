"""Photos of sample people as files: what is to be drawn, and drawing many of them over processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from datasets.atomic import atomic_write
from datasets.errors import OutputError
from datasets.portraits.camera import Floats, Pose
from datasets.portraits.draw import draw_portrait
from datasets.portraits.masks import WornMask
from datasets.portraits.person import Person
from datasets.workers import Progress, map_files

JAW, INNER_CORNERS = 17, (60, 64)  # what All-Age-Faces leaves out of the 68 points


@dataclass(frozen=True)
class Shot:
    """One photo to be drawn and written.

    Attributes:
        person: who.
        path: the file; its suffix decides JPEG or PNG.
        seed: the photo's number.
        mask: what is worn, or None.
        size: (width, height), pixels.
        pose: turn and expression, or None to sample them.
        key_points: where to write the 49 points of All-Age-Faces, or None.
        aligned: where to write the photo turned so that the eyes are level, or None.
    """

    person: Person
    path: Path
    seed: int
    mask: WornMask | None = None
    size: tuple[int, int] = (384, 512)
    pose: Pose | None = None
    key_points: Path | None = None
    aligned: Path | None = None


def take_shots(shots: Sequence[Shot], *, workers: int = 1, progress: Progress | None = None) -> None:
    """Draw and write photos; the bytes don't depend on ``workers``.

    Args:
        shots: what to draw.
        workers: processes.
        progress: told how many are done.

    Raises:
        UsageError: when ``workers`` is below 1.
        OutputError: when a file can't be written, or a process died over a photo twice.
    """
    failed = [name for name in map_files(_take, shots, workers=workers, crashed=_name, progress=progress) if name]
    if failed:
        raise OutputError(
            f"drawing {failed[0]} killed its process twice; is there enough memory for {workers} workers?"
        )


def _name(shot: Shot) -> str:
    return shot.path.name


def _take(shot: Shot) -> str:
    cv2.setNumThreads(1)  # one process a core is faster than threads inside each
    portrait = draw_portrait(shot.person, size=shot.size, pose=shot.pose, mask=shot.mask, seed=shot.seed)
    save_photo(portrait.rgb, shot.path)
    if shot.key_points is not None:
        write_key_points(portrait.landmarks, shot.key_points)
    if shot.aligned is not None:
        save_photo(level_eyes(portrait.rgb, portrait.landmarks), shot.aligned)
    return ""


def save_photo(rgb: npt.NDArray[np.uint8], path: Path) -> None:
    """Write (H, W, 3) uint8 RGB as a PNG, or as a JPEG of quality 93 with full colour resolution."""
    with atomic_write(path) as temporary:
        if path.suffix.lower() == ".png":
            Image.fromarray(rgb).save(temporary, "PNG", compress_level=4)
        else:
            Image.fromarray(rgb).save(temporary, "JPEG", quality=93, subsampling=0)


def write_key_points(landmarks: Floats, path: Path) -> None:
    """Write 68 landmarks (68, 2) as All-Age-Faces does: 49 lines ``x y`` with CRLF, no jaw, no inner mouth corners."""
    kept = [point for i, point in enumerate(landmarks) if i >= JAW and i not in INNER_CORNERS]
    text = "".join(f"{x:.6g} {y:.6g}\r\n" for x, y in kept)
    with atomic_write(path) as temporary:
        temporary.write_bytes(text.encode("ascii"))


def level_eyes(rgb: npt.NDArray[np.uint8], landmarks: Floats) -> npt.NDArray[np.uint8]:
    """Turn a photo about the point between the eyes until they are level; same size, edges repeated."""
    left, right = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    angle = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    middle = ((left + right) / 2).astype(float)
    turn = cv2.getRotationMatrix2D((middle[0], middle[1]), angle, 1.0)
    size = (rgb.shape[1], rgb.shape[0])
    turned = cv2.warpAffine(rgb, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8)

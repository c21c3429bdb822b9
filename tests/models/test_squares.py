from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.errors import PhotoError
from models.squares import FACE_ROOM, read_square, square_of, stored_side


def save(path: Path, width: int, height: int, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, quality=95)
    return path


def test_a_small_photo_keeps_its_pixels(tmp_path: Path) -> None:
    path = save(tmp_path / "small.png", 30, 40)
    square = read_square(path, 100)
    np.testing.assert_array_equal(square.rgb, np.asarray(Image.open(path))[5:35])


@pytest.mark.parametrize(("width", "height"), [(400, 300), (300, 400), (900, 450), (2400, 1800)])
def test_a_large_one_is_as_large_as_asked_for(tmp_path: Path, width: int, height: int) -> None:
    assert read_square(save(tmp_path / "large.jpg", width, height), 120).rgb.shape == (120, 120, 3)


def test_a_square_about_a_face_has_its_full_side_even_where_the_face_is_small(tmp_path: Path) -> None:
    path = save(tmp_path / "far.jpg", 2400, 1600)
    assert read_square(path, 120, (0.4, 0.4, 0.06, 0.08)).rgb.shape == (120, 120, 3)


def test_the_square_shows_the_face(tmp_path: Path) -> None:
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[100:140, 300:340] = 255  # a face at x 0.75 to 0.85, y 1/3 to 0.4667
    Image.fromarray(picture).save(tmp_path / "face.png")
    seen = read_square(tmp_path / "face.png", 400, (0.75, 1 / 3, 0.1, 40 / 300)).rgb
    side = round(FACE_ROOM * 40)
    assert seen.shape == (side, side, 3)
    rows, columns = np.nonzero(seen[:, :, 0])
    assert (rows.mean(), columns.mean()) == pytest.approx(((side - 1) / 2, (side - 1) / 2), abs=1)
    assert len(rows) == 40 * 40


@pytest.mark.parametrize(
    "box", [(-0.2, -0.2, 0.5, 0.5), (0.9, 0.9, 0.3, 0.3), (0.1, 0.1, 3.0, 3.0), (0.5, 0.5, 1e-6, 1e-6)]
)
@pytest.mark.parametrize("size", [(100, 60), (60, 100), (1, 1)])
def test_a_square_lies_in_its_photo_whatever_the_box(
    box: tuple[float, float, float, float], size: tuple[int, int]
) -> None:
    left, top, side = square_of(*size, box)
    assert side >= 1
    assert left >= 0
    assert top >= 0
    assert left + side <= size[0]
    assert top + side <= size[1]


def test_more_is_kept_than_a_model_sees() -> None:
    assert stored_side(224) == 280
    assert all(stored_side(side) > side for side in range(16, 300))


def test_a_broken_photo_says_why(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    with pytest.raises(PhotoError) as caught:
        read_square(tmp_path / "broken.jpg", 64)
    assert caught.value.reason == "truncated"


def test_workers_that_pack_load_neither_torch_nor_albumentations() -> None:
    script = "import sys, models.packed; print([name for name in ('torch', 'albumentations') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

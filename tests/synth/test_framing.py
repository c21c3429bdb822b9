"""Reframing: eyes and chin where the competition's photos have them, whatever the photo's own frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from synth import Face, MaskEngine, SynthUsageError
from synth.framing import EXTRA_ZOOM, EYES_AT, EYES_TO_CHIN, Size, frame_box, frame_matrix, reframe
from tests.synth.builders import paint

SIZE = Size(384, 512)


def places(face: Face, size: Size) -> tuple[float, float, float]:
    """x and y of the eyes' midpoint and y of the chin, as shares of the frame."""
    eyes = (face.landmarks[36:42].mean(0) + face.landmarks[42:48].mean(0)) / 2
    return eyes[0] / size.width, eyes[1] / size.height, face.landmarks[8, 1] / size.height


@pytest.mark.parametrize("size", [SIZE, Size(96, 128), Size(300, 300), Size(600, 400)])
@pytest.mark.parametrize("unit", [50, 130])
def test_eyes_and_chin_come_to_their_places(size: Size, unit: float) -> None:
    # Room enough around the face, so that nothing has to give way.
    face = paint(size=(1500, 1500), unit=unit, centre=(700.0, 800.0))
    framed, moved, zoom = reframe(face.rgb, Face.from_landmarks(face.landmarks), size)
    assert framed.shape == (size.height, size.width, 3)
    across, eyes, chin = places(moved, size)
    assert across == pytest.approx(0.5, abs=0.03)
    assert eyes == pytest.approx(EYES_AT, abs=0.01)
    assert chin - eyes == pytest.approx(EYES_TO_CHIN, abs=0.01)
    assert zoom == pytest.approx(size.height * EYES_TO_CHIN / (face.landmarks[8, 1] - 800), rel=0.05)


def test_the_picture_moves_with_the_landmarks() -> None:
    face = paint(size=(900, 900), unit=100, centre=(430.0, 420.0))
    marked = face.rgb.copy()
    for x, y in face.landmarks[[30, 48, 54, 8]].round().astype(int):
        cv2.circle(marked, (int(x), int(y)), 5, (0, 255, 0), -1)
    framed, moved, _ = reframe(marked, Face.from_landmarks(face.landmarks), SIZE)
    for x, y in moved.landmarks[[30, 48, 54, 8]].round().astype(int):
        red, green, blue = framed[y, x].astype(int)
        assert green > red + 60
        assert green > blue + 60


@pytest.mark.parametrize(("yaw", "roll"), [(25, 0), (-25, 0), (0, 20), (0, -20)])
def test_a_turned_or_tilted_face_stays_in_the_frame_and_is_not_turned(yaw: float, roll: float) -> None:
    face = paint(yaw=yaw, roll=roll, size=(900, 900), unit=100, centre=(450.0, 400.0))
    _, moved, _ = reframe(face.rgb, Face.from_landmarks(face.landmarks), SIZE)
    assert (moved.landmarks > 0).all()
    assert (moved.landmarks < [SIZE.width, SIZE.height]).all()
    before, after = (p[45] - p[36] for p in (face.landmarks, moved.landmarks))
    assert np.arctan2(*before) == pytest.approx(np.arctan2(*after), abs=1e-6)


def test_a_tight_photo_is_enlarged_a_little_more_and_then_filled_in() -> None:
    face = paint(size=(170, 200), unit=90, centre=(85.0, 80.0))
    framed, moved, zoom = reframe(face.rgb, Face.from_landmarks(face.landmarks), SIZE)
    plain = SIZE.height * EYES_TO_CHIN / (face.landmarks[8, 1] - 80)
    assert plain < zoom <= plain * EXTRA_ZOOM * 1.05
    assert framed.shape == (512, 384, 3)
    assert (moved.landmarks > 0).all()
    assert framed.std() > 10


@pytest.mark.parametrize("shape", [(700, 40), (16, 16), (40, 700)])
def test_photos_of_any_shape_fill_the_frame(shape: tuple[int, int]) -> None:
    face = paint(unit=20, size=(60, 60))
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    framed, moved, _ = reframe(rgb, Face.from_landmarks(face.landmarks), SIZE)
    assert framed.shape == (512, 384, 3)
    assert framed.dtype == np.uint8
    assert np.isfinite(moved.landmarks).all()


def test_shrinking_much_does_not_alias() -> None:
    face = paint(size=(2000, 2000), unit=500, centre=(1000.0, 900.0))
    fine = face.rgb.copy()
    fine[::2], fine[1::2] = 0, 255
    framed, _, zoom = reframe(fine, Face.from_landmarks(face.landmarks), Size(96, 128))
    assert zoom < 0.2
    assert abs(framed.astype(float).mean() - 127.5) < 3
    assert framed.astype(float).std() < 12


@pytest.mark.parametrize("unit", [60, 260])
def test_a_frame_within_the_photo_is_what_pillow_makes_of_it(unit: float) -> None:
    painted = paint(size=(1500, 1500), unit=unit, centre=(700.0, 700.0))
    face = Face.from_landmarks(painted.landmarks)
    framed, _, _ = reframe(painted.rgb, face, SIZE)
    box = frame_box(frame_matrix(painted.rgb.shape, face, SIZE), SIZE)
    ordinary = Image.fromarray(painted.rgb).resize((384, 512), Image.Resampling.BICUBIC, box=box)
    assert np.abs(framed.astype(int) - np.asarray(ordinary)).max() <= 1  # the box's fractions are single floats


def test_the_given_photo_is_not_changed() -> None:
    face = paint()
    before = face.rgb.copy()
    reframe(face.rgb, Face.from_landmarks(face.landmarks), SIZE)
    np.testing.assert_array_equal(face.rgb, before)


def test_the_engine_draws_in_the_frame() -> None:
    face = paint()
    engine = MaskEngine()
    ready = engine.prepare(face.rgb, landmarks=face.landmarks, size=SIZE)
    assert ready.rgb.shape == (512, 384, 3)
    masked = engine.mask(ready, wear="nose_out")
    assert masked.rgb.shape == (512, 384, 3)
    assert masked.coverage.mouth > 0.95


@pytest.mark.parametrize(("text", "size"), [("384x512", SIZE), ("96X128", Size(96, 128)), ("4096x32", Size(4096, 32))])
def test_sizes_are_read(text: str, size: Size) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize(
    "text", ["", "384", "384x", "x512", "384x512x3", "-1x5", "31x512", "4097x512", "3.5x512", "a x b", "９９x９９９９"]
)
def test_other_sizes_are_explained(text: str) -> None:
    with pytest.raises(SynthUsageError, match="expected a size WxH"):
        Size.parse(text)

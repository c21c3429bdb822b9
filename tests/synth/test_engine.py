"""The mask engine, by what must be true of every variant."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from datasets.portraits import Portrait
from synth import MaskEngine, PhotoRefusedError, Prepared, SynthUsageError, list_mask_types, list_wear_styles
from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.engine import MaskedFace
from synth.gate import REASONS
from synth.looks import Look, mask_type
from synth.surface import Outline
from synth.warp import folds
from synth.wear import get_wear_style
from tests.synth.builders import Painted, head_shape, paint, view

ENGINE = MaskEngine()
STYLES = ("correct", "nose_out", "chin")
KINDS = list_mask_types()
EVERY_STYLE = tuple(style for style in list_wear_styles() if style != "not_wear")
VIEWS = {
    "ahead": (0, 0, 0),
    "left": (-32, 0, 0),
    "right": (32, 0, 0),
    "down": (0, 18, 0),
    "up": (0, -18, 0),
    "tilted": (10, 5, 35),
}


@cache
def ready(name: str = "ahead", person: int = 0) -> Prepared:
    face = paint(*VIEWS[name], person=person)
    return ENGINE.prepare(face.rgb, landmarks=face.landmarks)


def polygon(shape: tuple[int, ...], outline: FloatArray) -> BoolArray:
    """(H, W) bool: the pixels whose middle lies in the outline, worked out without the engine's help."""
    canvas = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(canvas, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
    return canvas.astype(bool)


def changed(before: RgbImage, after: RgbImage, least: int = 0) -> BoolArray:
    return np.asarray(np.abs(before.astype(int) - after).max(-1) > least)


def share(mask: BoolArray, part: BoolArray) -> float:
    return float(mask[part].mean())


def assert_no_eye_touched(face: Prepared, masked: MaskedFace) -> None:
    for eye in (slice(36, 42), slice(42, 48)):
        inside = polygon(face.rgb.shape, face.face.landmarks[eye])
        assert inside.any()
        assert not changed(face.rgb, masked.rgb, 24)[inside].any(), masked.mask_type
    assert masked.coverage.eyes <= 0.02


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", VIEWS)
def test_each_style_covers_what_it_means_and_touches_no_eye(name: str, kind: str) -> None:
    # Every type in every view, every view on three people.
    person = (KINDS.index(kind) + list(VIEWS).index(name)) % 3
    face = ready(name, person)
    made = [ENGINE.mask(face, wear=style, mask=kind, seed=person) for style in STYLES]
    for masked in made:
        assert_no_eye_touched(face, masked)
    correct, nose_out, chin = (masked.coverage for masked in made)
    assert (correct.nose >= 0.95, correct.mouth >= 0.98, correct.chin >= 0.75) == (True, True, True)
    assert (nose_out.nose <= 0.35, nose_out.mouth >= 0.95) == (True, True)
    assert (chin.nose <= 0.02, chin.mouth <= 0.12, chin.chin >= 0.4) == (True, True, True)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("style", EVERY_STYLE[3:])
def test_the_rarer_styles_cover_what_they_mean(name: str, style: str) -> None:
    face = ready(name)
    for seed, kind in enumerate(list_mask_types(style)):
        masked = ENGINE.mask(face, wear=style, mask=kind, seed=seed)
        seen = masked.coverage
        if style != "over_eyes":
            assert_no_eye_touched(face, masked)
        if style == "chin_out":
            assert (seen.nose >= 0.95, seen.mouth >= 0.98, seen.chin <= 0.3, seen.eyes <= 0.02) == (True,) * 4
        elif style == "over_eyes":
            assert (seen.eyes >= 0.9, seen.mouth <= 0.02, seen.chin <= 0.02) == (True, True, True)
        else:
            assert (seen.nose <= 0.02, seen.mouth <= 0.12, seen.chin <= 0.25, seen.area >= 0.08) == (True,) * 4


@pytest.mark.parametrize("style", EVERY_STYLE)
def test_opacity_lies_in_range_and_within_what_was_touched(style: str) -> None:
    masked = ENGINE.mask(ready("right"), wear=style, mask="surgical", seed=2)
    assert masked.alpha.shape == masked.rgb.shape[:2]
    assert masked.alpha.dtype == np.float32
    assert 0 <= masked.alpha.min() < masked.alpha.max() <= 1
    assert masked.touched[masked.alpha > 0.01].all()


@pytest.mark.parametrize("name", VIEWS)
def test_no_cloth_is_folded_over_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    laid: list[tuple[FloatArray, FloatArray]] = []

    def noted(mapping: FloatArray, alpha: FloatArray) -> float:
        laid.append((mapping, alpha))
        return folds(mapping, alpha)

    monkeypatch.setattr("synth.compose.folds", noted)
    face = ready(name, 1)
    for number, style in enumerate(EVERY_STYLE):
        kinds = list_mask_types(style)
        for kind in (kinds[number], kinds[-1 - number]):
            ENGINE.mask(face, wear=style, mask=kind, seed=number)
            mapping, alpha = laid[-1]
            down, across = np.gradient(mapping.astype(float), axis=(0, 1))
            turning = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
            # The hem of a cloth that hangs before the neck or beside the head turns under a little.
            free = style in ("nose_out", "chin", "hanging")
            assert (turning[alpha > 0.5] > 0).mean() > (0.97 if free else 0.99), (style, kind)


def test_a_given_look_and_outline_are_what_is_drawn() -> None:
    look = ENGINE.mask(ready(), mask="kn95", seed=4).look
    outline = get_wear_style("correct").place(mask_type("kn95").cut, np.random.default_rng(1))
    assert look is not None
    one, two = (ENGINE.mask(ready(), mask=look, outline=outline, seed=seed) for seed in (1, 2))
    assert one.look is look
    np.testing.assert_allclose(one.alpha, two.alpha, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixels_show_what_was_measured(kind: str) -> None:
    face = ready()
    points = face.face.landmarks
    mouth, tip = polygon(face.rgb.shape, points[48:60]), polygon(face.rgb.shape, points[[30, 31, 33, 35]])
    different = {style: changed(face.rgb, ENGINE.mask(face, wear=style, mask=kind).rgb, 6) for style in STYLES}
    assert share(different["correct"], mouth) > 0.9
    assert share(different["correct"], tip) > 0.75
    assert share(different["nose_out"], mouth) > 0.85
    assert share(different["chin"], mouth) < 0.25
    assert share(different["chin"], tip) < 0.05


@pytest.mark.parametrize("number", range(3))
def test_faces_that_were_detected_are_covered_as_well(drawn: tuple[Portrait, ...], number: int) -> None:
    face = ENGINE.prepare(drawn[number].rgb)
    true = drawn[number].landmarks.astype(float)
    mouth = polygon(face.rgb.shape, true[48:60])
    for turn, kind in enumerate(KINDS):
        style = STYLES[(turn + number) % len(STYLES)]
        masked = ENGINE.mask(face, wear=style, mask=kind, seed=number)
        assert share(masked.touched, mouth) > 0.95 if style != "chin" else share(masked.touched, mouth) < 0.5


@pytest.mark.parametrize("style", EVERY_STYLE)
@pytest.mark.parametrize("name", ["ahead", "left", "tilted"])
def test_outside_of_touched_every_pixel_is_the_photos_own(name: str, style: str) -> None:
    face = ready(name)
    for seed in range(3):
        masked = ENGINE.mask(face, wear=style, seed=seed)
        assert masked.touched.any()
        assert not changed(face.rgb, masked.rgb)[~masked.touched].any()
        assert masked.touched.mean() < 0.5


@pytest.mark.parametrize("style", EVERY_STYLE)
def test_a_photo_that_the_mask_spans_from_edge_to_edge_is_not_changed(style: str) -> None:
    face = paint(size=(170, 300), centre=(85.0, 130.0))
    prepared = ENGINE.prepare(face.rgb, landmarks=face.landmarks)
    before = prepared.rgb.copy()
    masked = ENGINE.mask(prepared, wear=style, mask="surgical", seed=1)
    assert masked.touched.any()
    np.testing.assert_array_equal(prepared.rgb, before)


def test_the_photo_itself_is_not_changed(drawn: tuple[Portrait, ...]) -> None:
    before = drawn[0].rgb.copy()
    locked = drawn[0].rgb.copy()
    locked.flags.writeable = False
    face = ENGINE.prepare(locked)
    for style in list_wear_styles():
        assert ENGINE.mask(face, wear=style, seed=3).rgb is not locked
    np.testing.assert_array_equal(locked, before)


@pytest.mark.parametrize("style", STYLES)
def test_the_same_seed_gives_the_same_bytes_whatever_was_drawn_before(style: str) -> None:
    first = ENGINE.mask(ready(), wear=style, seed=11)
    for seed in range(3):
        ENGINE.mask(ready("left"), wear="correct", seed=seed)
    again = ENGINE.mask(ready(), wear=style, seed=11)
    fresh = MaskEngine()
    face = paint()
    elsewhere = fresh.mask(fresh.prepare(face.rgb, landmarks=face.landmarks), wear=style, seed=11)
    assert first.rgb.tobytes() == again.rgb.tobytes() == elsewhere.rgb.tobytes()
    assert first.look == again.look == elsewhere.look
    assert first.coverage == again.coverage == elsewhere.coverage


def test_global_random_state_is_neither_read_nor_moved() -> None:
    np.random.seed(5)
    state = np.random.get_state()[1].tobytes()
    first = ENGINE.mask(ready(), seed=2).rgb
    assert np.random.get_state()[1].tobytes() == state
    np.random.seed(6)
    np.testing.assert_array_equal(ENGINE.mask(ready(), seed=2).rgb, first)


@pytest.mark.parametrize("kind", KINDS)
def test_other_seeds_give_other_masks(kind: str) -> None:
    made = {ENGINE.mask(ready(), mask=kind, seed=seed).rgb.tobytes() for seed in range(5)}
    assert len(made) == 5


def test_without_a_type_all_types_come_up() -> None:
    drawn = {ENGINE.mask(ready(), seed=seed).mask_type for seed in range(40)}
    assert drawn == set(list_mask_types())


def test_a_photo_or_what_was_prepared_of_it_gives_the_same() -> None:
    face = paint()
    direct = ENGINE.mask(face.rgb, landmarks=face.landmarks, wear="nose_out", seed=4)
    np.testing.assert_array_equal(direct.rgb, ENGINE.mask(ready(), wear="nose_out", seed=4).rgb)


def test_not_wear_is_the_photo_itself() -> None:
    bare = ENGINE.mask(ready(), wear="not_wear", mask="kf94", seed=1)
    np.testing.assert_array_equal(bare.rgb, ready().rgb)
    assert bare.rgb is not ready().rgb
    assert (bare.mask_type, bare.look, bare.wear_style) == ("", None, "not_wear")
    assert not bare.touched.any()
    assert (bare.coverage.nose, bare.coverage.mouth, bare.coverage.chin) == (0, 0, 0)


def rolled(face: Painted, degrees: float) -> tuple[RgbImage, FloatArray]:
    """The picture and its landmarks turned about the picture's middle; clockwise."""
    height, width = face.rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    turned = cv2.warpAffine(face.rgb, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), face.landmarks @ matrix[:, :2].T + matrix[:, 2]


@cache
def rolled_and_ready(degrees: float) -> tuple[Painted, Prepared]:
    face = paint(yaw=12, size=(340, 340))
    rgb, landmarks = rolled(face, degrees)
    return face, ENGINE.prepare(rgb, landmarks=landmarks)


def drawn_upright(face: Prepared, style: str, kind: str, seed: int) -> tuple[Outline, MaskedFace]:
    """The first outline drawn by chance that the face lets be seen in that style: a few are refused and drawn anew."""
    rng = np.random.default_rng(seed)
    for _ in range(3):
        placed = get_wear_style(style).place(mask_type(kind).cut, rng)
        placed = placed.mirrored() if placed.hangs > 0 else placed
        try:
            return placed, ENGINE.mask(face, wear=style, mask=kind, seed=seed, outline=placed)
        except PhotoRefusedError:
            continue
    raise AssertionError(f"no {kind} can be worn {style} here")


ROLLS = (-85, -25, 50)


@pytest.mark.parametrize("degrees", ROLLS)
@pytest.mark.parametrize("style", EVERY_STYLE)
def test_a_mask_follows_the_tilt_of_the_head(style: str, degrees: float) -> None:
    face, before = rolled_and_ready(0)
    _, after = rolled_and_ready(degrees)
    # Every style at every angle, and in each every type at one of them.
    for seed, kind in enumerate(list_mask_types(style)[ROLLS.index(degrees) :: len(ROLLS)]):
        # The outline is given: a second try in one of the two pictures alone may hang from the other ear.
        placed, upright = drawn_upright(before, style, kind, seed)
        tilted = ENGINE.mask(after, wear=style, mask=kind, seed=seed, outline=placed)
        for part in ("nose", "mouth", "chin", "eyes"):
            assert getattr(tilted.coverage, part) == pytest.approx(getattr(upright.coverage, part), abs=0.06), part
        as_picture = np.dstack([upright.touched.astype(np.uint8) * 255] * 3)
        expected = rolled(Painted(as_picture, face.landmarks, face.pose), degrees)[0][..., 0] > 127
        overlap = (tilted.touched & expected).sum() / (tilted.touched | expected).sum()
        assert overlap > 0.88, kind


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_mask_follows_the_size_of_the_face(factor: float) -> None:
    face = paint()
    size = (round(300 * factor), round(340 * factor))
    other = paint(size=size, unit=90 * factor)
    for style in STYLES:
        one = ENGINE.mask(face.rgb, landmarks=face.landmarks, wear=style, mask="kf94", seed=1).coverage
        two = ENGINE.mask(other.rgb, landmarks=other.landmarks, wear=style, mask="kf94", seed=1).coverage
        assert (two.nose, two.mouth) == pytest.approx((one.nose, one.mouth), abs=0.08)


def cords(face: Prepared, look: Look) -> BoolArray:
    """(H, W) bool: where the mask's cords are seen, found by their colour alone."""
    looks = (replace(look, strap=strap, strap_seen=1.0) for strap in ((95.0, 0.0, 0.0), (5.0, 0.0, 0.0)))
    light, dark = (ENGINE.mask(face, mask=look, seed=1) for look in looks)
    return changed(light.rgb, dark.rgb, 40) & (light.alpha < 0.5)


@pytest.mark.parametrize("kind", ["surgical", "kf94", "n95_cup"])
def test_of_a_turned_head_the_far_loop_is_hidden(kind: str) -> None:
    look = ENGINE.mask(ready(), mask=kind, seed=3).look
    assert look is not None
    seen = {}
    for name in ("left", "ahead", "right"):
        face = ready(name)
        drawn, middle = cords(face, look), round(float(face.face.landmarks[27:31, 0].mean()))
        seen[name] = int(drawn[:, :middle].sum()), int(drawn[:, middle:].sum())
    assert min(seen["ahead"]) > 20
    for name, (near, far) in {"left": seen["left"][::-1], "right": seen["right"]}.items():
        assert near > max(seen["ahead"]), name
        assert far < 0.1 * min(seen["ahead"]), name


def middle_of_mask(face: Prepared, masked: MaskedFace) -> RgbImage:
    """The pixels around the mouth, where every correctly worn mask is whole."""
    inside = polygon(face.rgb.shape, face.face.landmarks[48:60]) & masked.touched
    return masked.rgb[inside]


@pytest.mark.parametrize("name", ["ahead", "left", "tilted"])
def test_a_black_mask_is_opaque_and_dark(name: str) -> None:
    # On a checkered mouth, whatever shines through would show as contrast.
    face = paint(*VIEWS[name])
    checks = np.indices(face.rgb.shape[:2]).sum(0) // 4 % 2 == 0
    loud = face.rgb.copy()
    mouth = polygon(face.rgb.shape, face.landmarks[48:60])
    loud[mouth & checks], loud[mouth & ~checks] = 255, 0
    prepared = ENGINE.prepare(loud, landmarks=face.landmarks)
    dark = 0
    for seed in range(8):
        masked = ENGINE.mask(prepared, mask="black", seed=seed)
        seen = masked.rgb.astype(float).mean(-1)
        light, shade = seen[mouth & checks], seen[mouth & ~checks]
        assert abs(light.mean() - shade.mean()) < 3
        dark += bool(np.median(middle_of_mask(prepared, masked)) < 75)
    assert dark >= 5


@pytest.mark.parametrize("style", STYLES)
def test_a_grayscale_photo_stays_gray(style: str) -> None:
    face = paint(yaw=10)
    gray = np.asarray(cv2.cvtColor(cv2.cvtColor(face.rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    prepared = ENGINE.prepare(gray, landmarks=face.landmarks)
    for seed, kind in enumerate(list_mask_types()):
        masked = ENGINE.mask(prepared, wear=style, mask=kind, seed=seed).rgb.astype(int)
        assert np.ptp(masked, axis=-1).max() <= 2, kind


def test_in_a_dark_photo_a_white_mask_is_dark() -> None:
    face = paint()
    dim = (face.rgb.astype(float) * 0.25).astype(np.uint8)
    bright, dark = (
        middle_of_mask(prepared, ENGINE.mask(prepared, mask="kf94", seed=3)).mean()
        for prepared in (ready(), ENGINE.prepare(dim, landmarks=face.landmarks))
    )
    assert dark < 0.5 * bright


@pytest.mark.parametrize(
    "array", [np.zeros((20, 20), np.uint8), np.zeros((20, 20, 4), np.uint8), np.zeros((20, 20, 3)), np.zeros((0, 0, 3))]
)
def test_arrays_of_another_shape_or_type_are_refused(array: np.ndarray) -> None:
    with pytest.raises(SynthUsageError, match=r"\(H, W, 3\) uint8"):
        ENGINE.prepare(array)


@pytest.mark.parametrize(
    ("arguments", "listed"), [({"wear": "backwards"}, list_wear_styles()), ({"mask": "veil"}, list_mask_types())]
)
def test_unknown_names_list_the_valid_ones(arguments: dict[str, str], listed: list[str]) -> None:
    with pytest.raises(SynthUsageError) as caught:
        ENGINE.mask(ready(), **arguments)
    assert all(name in str(caught.value) for name in listed)


def test_a_type_that_cannot_be_worn_so_is_a_wrong_call() -> None:
    for mask in ("scarf", ENGINE.mask(ready(), mask="scarf").look):
        with pytest.raises(SynthUsageError, match="a scarf can't be worn hanging: use one of"):
            ENGINE.mask(ready(), wear="hanging", mask=mask)


def test_by_chance_only_types_that_can_be_worn_so_come_up() -> None:
    drawn = {ENGINE.mask(ready(), wear="hanging", seed=seed).mask_type for seed in range(40)}
    assert drawn == set(list_mask_types("hanging"))


def attempt(rgb: RgbImage, landmarks: FloatArray, style: str, seed: int) -> MaskedFace | PhotoRefusedError:
    try:
        return ENGINE.mask(rgb, landmarks=landmarks, wear=style, seed=seed)
    except PhotoRefusedError as refused:
        return refused


def assert_sound(rgb: RgbImage, landmarks: FloatArray, style: str, seed: int) -> None:
    """Either a valid picture or a refusal with a known reason; warnings are errors in these tests."""
    made = attempt(rgb, landmarks, style, seed)
    if isinstance(made, PhotoRefusedError):
        assert made.reason in REASONS
        assert made.detail
        return
    assert made.rgb.shape == rgb.shape
    assert made.rgb.dtype == np.uint8
    assert not changed(rgb, made.rgb)[~made.touched].any()
    assert made.wear_style == style


WILD = st.floats(allow_nan=True, allow_infinity=True, width=64)
SMALL = paint(10, 5, 5, size=(150, 170), unit=46)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    landmarks=arrays(np.float64, (68, 2), elements=WILD | st.floats(-50, 250)),
    style=st.sampled_from(EVERY_STYLE),
)
def test_any_points_at_all_are_drawn_on_or_refused(landmarks: FloatArray, style: str) -> None:
    assert_sound(SMALL.rgb, landmarks, style, 0)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    angles=st.tuples(st.floats(-70, 70), st.floats(-45, 45), st.floats(-180, 180)),
    size=st.tuples(st.integers(8, 220), st.integers(8, 220)),
    unit=st.floats(5, 150),
    place=st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5)),
    noise=st.floats(0, 0.12),
    style=st.sampled_from(EVERY_STYLE),
    seed=st.integers(0, 2**32),
)
def test_faces_of_any_turn_size_and_place_are_drawn_on_or_refused(
    angles: tuple[float, float, float],
    size: tuple[int, int],
    unit: float,
    place: tuple[float, float],
    noise: float,
    style: str,
    seed: int,
) -> None:
    pose = view(*angles, unit=unit, centre=(place[0] * size[0], place[1] * size[1]))
    rng = np.random.default_rng(seed)
    landmarks = pose.project(head_shape(1)) + rng.normal(0, noise * unit, (68, 2))
    rgb = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    assert_sound(rgb, landmarks, style, seed)


@pytest.mark.parametrize("level", [0, 1, 128, 255])
@pytest.mark.parametrize("style", EVERY_STYLE)
def test_flat_pictures_are_drawn_on_or_refused(level: int, style: str) -> None:
    assert_sound(np.full_like(SMALL.rgb, level), SMALL.landmarks, style, level)

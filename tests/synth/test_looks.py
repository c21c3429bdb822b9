"""The looks: registered, sampled in range, drawable at any size."""

from __future__ import annotations

from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest

from synth import SynthUsageError, list_wear_styles
from synth.looks import check_suited, draw_look, list_mask_types, mask_type, sample_look, suited_types
from synth.looks.canvas import Canvas, lab_to_linear, noise
from synth.looks.prints import list_prints, printed
from synth.looks.registry import Look, _pick, add_type, set_own_types, strap_colour, strap_of
from synth.looks.strokes import dashes

KINDS = list_mask_types()


def test_the_types_the_design_names_are_there_in_order() -> None:
    named = "surgical kf94 kn95 n95_cup n95_valve cloth printed sponge black scarf"
    assert set(named.split()) <= set(KINDS)
    assert sorted(KINDS) == KINDS
    assert all(mask_type(kind).name == kind for kind in KINDS)


@pytest.mark.parametrize("ask", [mask_type, lambda name: sample_look(name, np.random.default_rng(0))])
def test_an_unknown_type_lists_the_known(ask) -> None:
    with pytest.raises(SynthUsageError) as caught:
        ask("veil")
    assert all(kind in str(caught.value) for kind in KINDS)


@pytest.mark.parametrize("style", list_wear_styles())
def test_types_by_style_are_those_that_can_be_worn_so(style: str) -> None:
    assert list_mask_types(style) == [kind for kind in KINDS if mask_type(kind).suits(style)]
    assert suited_types(["scarf", "surgical"], style)[-1] == "surgical"
    assert suited_types([], style) == list_mask_types(style)


def test_what_no_loop_holds_hangs_from_no_ear_and_cups_lie_over_no_eyes() -> None:
    assert all(mask_type(kind).attach == "ears" for kind in list_mask_types("hanging"))
    assert set(KINDS) - set(list_mask_types("chin_out")) == {"scarf"}
    assert set(KINDS) - set(list_mask_types("over_eyes")) == {"scarf", "n95_cup", "n95_valve"}
    assert list_mask_types("correct") == list_mask_types("not_wear") == KINDS


def test_a_type_in_a_style_it_is_unsuited_for_is_refused_with_those_that_suit() -> None:
    check_suited("kf94", "hanging")
    with pytest.raises(SynthUsageError, match=r"a scarf can't be worn hanging: use one of black, .*surgical"):
        check_suited("scarf", "hanging")
    for ask in (lambda: list_mask_types("cheek"), lambda: check_suited("kf94", "cheek")):
        with pytest.raises(SynthUsageError, match="unknown wear style 'cheek'"):
            ask()
    with pytest.raises(SynthUsageError, match="unknown wear style 'cheek'"):
        replace(mask_type("kf94"), unsuited=("cheek",))


@pytest.mark.parametrize("width", [8, 48, 200, 1400])
@pytest.mark.parametrize("kind", KINDS)
def test_every_type_is_drawable_at_every_size(kind: str, width: int) -> None:
    look = sample_look(kind, np.random.default_rng(width))
    for aspect, crumple in ((0.7, 0.0), (1.6, 0.3), (6.0, 1.0)):
        if width == 1400 and aspect < 1:
            continue
        canvas = draw_look(look, width, aspect, crumple)
        assert canvas.alpha.shape[1] == width
        assert canvas.albedo.shape == (*canvas.alpha.shape, 3)
        for array, low, high in ((canvas.alpha, 0, 1), (canvas.albedo, 0, 1), (canvas.height, -0.5, 0.5)):
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
            assert array.min() >= low
            assert array.max() <= high


@pytest.mark.parametrize("kind", KINDS)
def test_the_middle_is_opaque_and_the_corners_are_cut(kind: str) -> None:
    alpha = draw_look(replace(sample_look(kind, np.random.default_rng(1)), pattern=""), 200, 1.6, 0.2).alpha
    rows, columns = alpha.shape
    assert alpha[rows // 4 : -rows // 4, columns // 4 : -columns // 4].min() == 1
    assert max(alpha[0, 0], alpha[0, -1], alpha[-1, 0], alpha[-1, -1]) < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_look_is_drawn_the_same_and_at_other_sizes_alike(kind: str) -> None:
    look = sample_look(kind, np.random.default_rng(2))
    one, same, larger = draw_look(look, 160, 1.6, 0.2), draw_look(look, 160, 1.6, 0.2), draw_look(look, 320, 1.6, 0.2)
    np.testing.assert_array_equal(one.albedo, same.albedo)
    np.testing.assert_array_equal(one.height, same.height)
    np.testing.assert_allclose(one.albedo.mean((0, 1)), larger.albedo.mean((0, 1)), atol=0.06)


@pytest.mark.parametrize("kind", KINDS)
def test_hardly_two_are_alike(kind: str) -> None:
    rng = np.random.default_rng(3)
    looks = [sample_look(kind, rng) for _ in range(30)]
    assert len({tuple(asdict(look).items()) for look in looks}) == 30
    for look in looks:
        assert 0 <= look.colour[0] <= 100
        assert look.pattern in mask_type(kind).patterns
        assert 0 <= strap_colour(look).min() <= strap_colour(look).max() <= 1


def test_black_is_dark_and_white_is_light() -> None:
    rng = np.random.default_rng(4)
    black = [draw_look(sample_look("black", rng), 60, 1.6, 0.1).albedo.mean() for _ in range(20)]
    kf94 = [draw_look(sample_look("kf94", rng), 60, 1.6, 0.1).albedo.mean() for _ in range(20)]
    assert np.median(black) < 0.06
    assert np.median(kf94) > 0.4


def test_white_masks_are_white() -> None:
    rng = np.random.default_rng(5)
    looks = [sample_look(kind, rng) for kind in ("kf94", "kn95", "surgical", "n95_cup") for _ in range(30)]
    white = [look for look in looks if look.colour[0] > 92 and not look.pattern]
    assert len(white) > 20
    brightest = [np.percentile(draw_look(look, 60, 1.6, 0.1).albedo.mean(-1), 75) for look in white]
    assert 0.75 < np.median(brightest) < 0.95


@pytest.mark.parametrize("name", list_prints())
@pytest.mark.parametrize("width", [24, 48, 220])
def test_every_print_covers_a_part_and_keeps_its_share_at_every_size(name: str, width: int) -> None:
    fine = printed(name, Canvas.blank(440, 1.5, np.ones(3)), np.random.default_rng(3))
    here = printed(name, Canvas.blank(width, 1.5, np.ones(3)), np.random.default_rng(3))
    assert 0 <= here.min() <= here.max() <= 1.001
    assert 0.003 < fine.mean() < 0.97
    assert here.mean() == pytest.approx(fine.mean(), abs=0.12)


def test_stripes_finer_than_texels_turn_grey_instead_of_aliasing() -> None:
    canvas = Canvas.blank(24, 1.5, np.ones(3))
    for seed in range(20):
        stripes = printed("stripes", canvas, np.random.default_rng(seed))
        assert np.isfinite(stripes).all()
    assert dashes(canvas, canvas.row, 200).std() < 0.01


def test_pleats_read_at_a_hundred_pixels() -> None:
    look = replace(sample_look("surgical", np.random.default_rng(6)), pattern="", relief=1.0, pleats=3)
    albedo = draw_look(look, 100, 1.5, 0.1).albedo.mean(-1)
    profile = albedo[:, 25:75].mean(1) / np.median(albedo)
    dips = (profile[1:-1] < profile[:-2]) & (profile[1:-1] <= profile[2:]) & (profile[1:-1] < 0.93)
    assert dips.sum() >= 3


def test_a_valve_stands_out_of_the_dome() -> None:
    look = sample_look("n95_valve", np.random.default_rng(7))
    with_valve, without = (
        draw_look(replace(look, mask_type=name), 200, 1.3, 0.0).height for name in ("n95_valve", "n95_cup")
    )
    assert (with_valve - without).max() > 0.02


def chroma(look: Look) -> np.ndarray:
    """(h, w) of the drawn sheet in CIE Lab, 0 where it is gray."""
    lab = cv2.cvtColor(np.ascontiguousarray(draw_look(look, 160, 1.3, 0.0).albedo), cv2.COLOR_LRGB2Lab)
    return np.asarray(np.hypot(lab[..., 1], lab[..., 2]))


@pytest.mark.parametrize(("kind", "least"), [("n95_cup", 0.1), ("n95_valve", 0.25)])
def test_some_white_cups_have_a_coloured_bar_or_valve(kind: str, least: float) -> None:
    white = [replace(sample_look(kind, np.random.default_rng(seed)), colour=(94, 0, 1), dirt=0) for seed in range(60)]
    coloured = [float((chroma(look) > 25).mean()) for look in white]
    share = np.mean([each > 0.003 for each in coloured])
    assert least < share < 0.6
    assert max(coloured) < 0.12


def test_elastic_of_cups_is_white_or_coloured() -> None:
    straps = [sample_look("n95_cup", np.random.default_rng(seed)).strap for seed in range(200)]
    yellow = np.mean([b > 40 for _, _, b in straps])
    white = np.mean([light > 80 and abs(b) < 12 for light, _, b in straps])
    assert 0.1 < yellow < white < 0.7


def test_some_fashion_masks_have_a_valve_on_either_side() -> None:
    look = replace(sample_look("sponge", np.random.default_rng(3)), colour=(62, 46, 52), mark=False, valve=True)
    valves, plain = (np.asarray(draw_look(replace(look, valve=has), 200, 1.4, 0.0).planes[0]) for has in (True, False))
    darker = valves < 0.6 * plain
    sides = darker[:, : darker.shape[1] // 2].mean(), darker[:, darker.shape[1] // 2 :].mean()
    assert min(sides) > 0.02
    assert sides[0] == pytest.approx(sides[1], rel=0.2)
    assert not darker[:, 95:105].any()
    shares = [sample_look("sponge", np.random.default_rng(seed)).valve for seed in range(200)]
    assert 0.05 < np.mean(shares) < 0.2


def test_cloth_of_one_colour_with_the_strap_of_foam() -> None:
    look = sample_look("black", np.random.default_rng(8))
    np.testing.assert_allclose(look.strap, look.colour, atol=6)
    assert strap_of(look).width > 0.025
    assert strap_of(sample_look("n95_cup", np.random.default_rng(8))).attach == "head"
    assert strap_of(sample_look("scarf", np.random.default_rng(8))).attach == "none"


def test_lab_ends_are_black_and_white() -> None:
    assert lab_to_linear((0, 0, 0)).max() == pytest.approx(0, abs=1e-3)
    assert lab_to_linear((100, 0, 0)).min() == pytest.approx(1, abs=0.01)
    assert lab_to_linear((50, 80, -80)).min() >= 0


def test_noise_keeps_to_its_range_and_its_generator() -> None:
    one, same, other = (noise((40, 60), (4, 6), np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert np.abs(one).max() < 1.6


def test_a_band_is_full_inside_and_ends_within_a_texel() -> None:
    canvas = Canvas.blank(100, 1.0, np.ones(3))
    band = canvas.band(0.5, 0.1)
    assert band[50].min() == 1
    assert band[30].max() == band[70].max() == 0
    canvas.paint(band, np.array([1.0, 0.0, 0.0]))
    assert canvas.albedo[50, 50].tolist() == [1, 0, 0]
    assert canvas.albedo[5, 50].tolist() == [1, 1, 1]


def test_weights_are_drawn_from_as_numpy_does() -> None:
    weights = (0.5, 0, 2, 1.25)
    ours, numpys = np.random.default_rng(5), np.random.default_rng(5)
    shares = np.array(weights) / sum(weights)
    assert [_pick(weights, ours) for _ in range(200)] == [int(numpys.choice(4, p=shares)) for _ in range(200)]


def test_a_mask_folded_lengthwise_shows_one_half_rounded_at_its_rim_alone() -> None:
    rims = set()
    for seed in range(12):
        look = replace(sample_look("kf94", np.random.default_rng(seed)), seed=seed)
        canvas = draw_look(look, 200, 3.0, 0.2, halved=True)
        assert canvas.alpha.shape == canvas.height.shape == canvas.albedo.shape[:2]
        assert 200 / len(canvas.alpha) == pytest.approx(3.0, rel=0.05)
        upper, lower = canvas.alpha[0, 0], canvas.alpha[-1, 0]
        assert (upper < 0.5) != (lower < 0.5)
        rims.add("upper" if upper < 0.5 else "lower")
        # At the fold the cloth turns from the light.
        shade = canvas.albedo.mean(-1).mean(1)
        fold, inner = (shade[-1], shade[len(shade) // 2]) if upper < 0.5 else (shade[0], shade[len(shade) // 2])
        assert fold < inner
    assert rims == {"upper", "lower"}


def test_folded_pale_masks_show_their_white_side_at_times() -> None:
    blue = replace(sample_look("surgical", np.random.default_rng(0)), colour=(68.0, -13.0, -30.0), pattern="", dirt=0.0)
    blueness = []
    for seed in range(40):
        albedo = draw_look(replace(blue, seed=seed), 60, 3.0, 0.2, halved=True).albedo.reshape(-1, 3).mean(0)
        blueness.append(albedo[2] / albedo[0])
    whole = np.asarray(blueness)
    assert 4 <= (whole < 1.15).sum() <= 24
    assert (whole > 1.5).sum() >= 16


def test_pleats_open_unevenly_from_mask_to_mask_and_from_side_to_side() -> None:
    plain = replace(
        sample_look("surgical", np.random.default_rng(0)),
        colour=(76.0, -13.0, -22.0),
        pattern="",
        dirt=0.0,
        wrinkle=0.0,
    )
    left, right = [], []
    for seed in range(12):
        height = draw_look(replace(plain, seed=seed), 200, 1.6, 0.1).height
        steps = np.abs(np.diff(height, axis=0)).max(0)
        left.append(float(steps[20:60].mean()))
        right.append(float(steps[140:180].mean()))
    ratio = np.array(left) / np.array(right)
    assert ratio.min() < 0.85
    assert ratio.max() > 1.15


def test_some_coloured_surgical_masks_have_a_white_upper_edge() -> None:
    blue = replace(sample_look("surgical", np.random.default_rng(0)), colour=(68.0, -13.0, -30.0), pattern="", dirt=0.0)
    white = 0
    for seed in range(40):
        albedo = draw_look(replace(blue, seed=seed), 160, 1.6, 0.1).albedo
        edge, body = albedo[1, 60:100].mean(0), albedo[60:80, 60:100].mean((0, 1))
        white += bool(edge[2] / edge[0] < 0.7 * body[2] / body[0])
    assert 5 <= white <= 22


def test_a_mask_type_that_comes_or_goes_is_listed_or_not() -> None:
    before = list_mask_types("correct")
    own = replace(mask_type("cloth"), name="of_my_own", built_in=False)
    add_type(own)
    try:
        assert list_mask_types("correct") == sorted([*before, "of_my_own"])
    finally:
        set_own_types(())
    assert list_mask_types("correct") == before

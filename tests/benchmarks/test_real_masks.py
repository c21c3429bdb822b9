"""The parts of the benchmark on real masks that need no photographs, on painted faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.masked_crops import (
    BELOW,
    BELOW_HANGING,
    INCORRECT,
    ORDERS,
    PARTS,
    SIDE,
    TURNS,
    CropTask,
    Middle,
    Sticker,
    _further,
    crop_of,
    make_crops,
)
from benchmarks.real_masks import REAL, Crops, Result, Training, measure, results_table
from benchmarks.small_cnn import MixedStyle, Recipe, augment, network, probabilities, train
from synth import Face, MaskEngine, list_wear_styles
from synth.looks import mask_type
from synth.pose import fit_pose
from synth.wear import get_wear_style, mask_state_of
from tests.synth.builders import paint

TINY = Recipe(sides=((16, 120), (24, 120)), widths=(8, 8, 12, 16), batch=16, shares=(0.4, 0.3, 0.3), kept=0.9)


def squares(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 32, 32, 3) pictures of three kinds: dark below, dark above, dark nowhere."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    images = rng.integers(150, 220, (count, 32, 32, 3), dtype=np.uint8)
    images[labels == 0, 16:] //= 5
    images[labels == 1, :16] //= 5
    return images, labels.astype(np.int64)


def test_every_wrong_style_is_drawn_and_the_orders_hold_all_states() -> None:
    assert set(INCORRECT) == {style for style in list_wear_styles() if mask_state_of(style) == "incorrect"}
    assert sum(INCORRECT.values()) == pytest.approx(1)
    assert set(ORDERS) == {"correct", "incorrect", "not_wear"}


def test_a_crop_holds_the_chin_and_has_one_size() -> None:
    face = paint()
    rgb = face.rgb.copy()
    chin = np.round(face.landmarks[8]).astype(int)
    rgb[chin[1] - 3 : chin[1] + 4, chin[0] - 3 : chin[0] + 4] = (0, 0, 255)
    for seed in range(20):
        crop = crop_of(rgb, Face.from_landmarks(face.landmarks), np.random.default_rng(seed))
        assert crop.shape == (SIDE, SIDE, 3)
        assert (crop[..., 2].astype(int) - crop[..., 0] > 120).any()


def test_a_crop_of_what_hangs_shows_more_below_the_chin() -> None:
    face = paint()
    rgb = np.zeros_like(face.rgb)
    rgb[round(face.landmarks[8, 1]) :] = 255

    def shown(below: tuple[float, float]) -> float:
        """Share of crops that lies below the chin."""
        known = Face.from_landmarks(face.landmarks)
        return float(np.mean([crop_of(rgb, known, np.random.default_rng(seed), below) for seed in range(40)])) / 255

    assert shown(BELOW_HANGING) > shown(BELOW) + 0.02


def test_a_photo_gives_its_variants_again_with_the_head_raised_and_lowered(tmp_path: Path) -> None:
    face = paint(size=(400, 440), centre=(200.0, 180.0), unit=60.0)
    Image.fromarray(face.rgb).save(tmp_path / "a.png")
    level, whole = (make_crops(CropTask(tmp_path / "a.png", face.landmarks, part, 0)) for part in ("tilts", ""))
    assert len(level) <= len(ORDERS)
    assert 2 * len(level) < len(whole) <= 3 * len(ORDERS)
    for one, other in zip(level, whole, strict=False):
        np.testing.assert_array_equal(one[0], other[0])


def test_tilted_heads_are_turned_further_the_way_they_look() -> None:
    for yaw, ways in ((20.0, {1}), (-20.0, {-1}), (1.0, {-1, 1})):
        pose, rng = fit_pose(paint(yaw=yaw).landmarks), np.random.default_rng(0)
        turns = [_further(pose, rng) for _ in range(40)]
        assert {np.sign(turn) for turn in turns} == ways
        assert TURNS[0] <= min(map(abs, turns)) < max(map(abs, turns)) <= TURNS[1]


def test_the_middle_has_no_spread() -> None:
    middle = Middle()
    assert (middle.uniform(2, 4), middle.normal(3, 9), middle.random(), middle.beta(1.0, 3.0)) == (3, 3, 0.5, 0.25)
    for name in ("correct", "nose_out", "chin", "hanging"):
        style, cut = get_wear_style(name), mask_type("surgical").cut
        assert style.place(cut, middle) == style.place(cut, middle)  # type: ignore[arg-type]


def test_mixed_styles_change_contrast_and_colour_alone_and_only_in_training() -> None:
    torch.manual_seed(0)
    pictures, mix = torch.rand(6, 4, 8, 8), MixedStyle(1.0)
    mixed = mix(pictures)
    assert not torch.equal(mixed, pictures)

    def normal(x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)

    torch.testing.assert_close(normal(mixed), normal(pictures), atol=1e-3, rtol=1e-3)
    means = torch.stack([mixed.mean((2, 3)), pictures.mean((2, 3))])
    assert (means[0] <= means[1].max(0).values + 1e-5).all(), "between those of two pictures"
    assert (means[0] >= means[1].min(0).values - 1e-5).all()
    assert torch.equal(MixedStyle(0.0)(pictures), pictures)
    assert torch.equal(mix.eval()(pictures), pictures)
    chances = [part.chance for part in network(replace(TINY, mixed=0.25), 3).modules() if isinstance(part, MixedStyle)]
    assert chances == [0.25, 0.25], "after the stem and after the first stage"


def test_a_sticker_is_seen_from_the_front_whatever_the_turn() -> None:
    face = paint(yaw=30)
    flat, solid = Sticker(face.landmarks), MaskEngine().prepare(face.rgb, landmarks=face.landmarks).to_picture
    left, right = np.array([-0.5, 0.9, 0.0]), np.array([0.5, 0.9, 0.0])
    middle = np.array([0.0, 0.9, 0.0])
    ratio = [np.linalg.norm(at(right) - at(middle)) / np.linalg.norm(at(left) - at(middle)) for at in (flat, solid)]
    assert ratio[0] == pytest.approx(1, abs=0.02)
    assert abs(ratio[1] - 1) > 0.04
    assert "geometry" in PARTS


def test_the_network_is_small_and_learns_what_can_be_seen() -> None:
    assert sum(weight.numel() for weight in network(Recipe(), 3).parameters()) < 1_000_000
    assert 64 <= Recipe().side <= 80
    images, labels = squares(320, 0)
    torch.set_num_threads(1)
    net = train(images, labels, TINY, 0, lambda done, total: None)
    tried, truth = squares(90, 1)
    chances = probabilities(net, tried, TINY)
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-5)
    assert (chances.argmax(1) == truth).mean() > 0.9


def test_what_lies_outside_the_windows_has_no_say() -> None:
    net, (images, _) = network(TINY, 3).eval(), squares(4, 2)
    framed, size = images.copy(), images.shape[1]
    edge = (size - round(max(TINY.windows) * size)) // 2
    assert edge > 0
    framed[:, :, :edge] = 0
    framed[:, :, size - edge :] = 255
    np.testing.assert_array_equal(probabilities(net, images, TINY), probabilities(net, framed, TINY))
    framed[:, :, size // 2] = 0
    assert not np.array_equal(probabilities(net, images, TINY), probabilities(net, framed, TINY))


def test_augmented_pictures_stay_pictures_and_differ() -> None:
    batch = torch.rand(8, 3, 32, 32)
    one, two = (augment(batch, 24, TINY, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert one.shape == (8, 3, 24, 24)
    assert 0 <= float(one.min()) <= float(one.max()) <= 1
    assert not torch.equal(one, two)
    assert torch.equal(one, augment(batch, 24, TINY, torch.Generator().manual_seed(1)))


def test_a_share_of_the_recipe_has_a_share_of_its_batches() -> None:
    assert Recipe(sides=((48, 30), (80, 11))).shorter(0.2).sides == ((48, 6), (80, 2))
    assert Recipe(sides=((48, 30), (80, 2))).shorter(0.1) == Recipe(sides=((48, 3), (80, 1)))


def test_the_table_tells_the_mean_and_each_seed() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    results = [Result("our variants", 60, [labels, np.array([0, 0, 0, 0, 2, 2])])]
    table = results_table(results, labels)
    assert [next(iter(column.cells)) for column in table.columns] == [
        "our variants",
        "60",
        "0.778",
        "1.000 0.556",
        "1.00",
        "0.50",
        "1.00",
    ]


def test_trainings_that_are_finished_are_not_done_again_unless_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = squares(96, 0)
    np.savez(tmp_path / REAL, images=images, labels=labels)
    made: list[str] = []

    def crops(landmarks: dict[Path, np.ndarray], without: str, workers: int) -> Crops:
        made.append(without)
        return Crops(images, labels)

    monkeypatch.setattr("benchmarks.real_masks.training_crops", crops)
    recipe = replace(TINY, sides=((16, 6),))

    def told(key: str) -> Result:
        return measure([Training("ours", recipe, seed, key, tmp_path) for seed in (0, 1)], dict, "light", 1)

    first = told("a")
    assert first.crops == 96
    assert len(first.predicted) == 2
    again = told("a")
    assert made == ["light"]
    assert all((one == other).all() for one, other in zip(first.predicted, again.predicted, strict=True))
    (tmp_path / "ours 1.npz").unlink()
    told("a")
    assert made == ["light"] * 2
    told("b")
    assert made == ["light"] * 3

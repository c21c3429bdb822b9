"""Splines, the way from head to picture, and regions."""

from __future__ import annotations

import numpy as np
import pytest

from synth.pose import fit_pose
from synth.shape import MEAN_FACE
from synth.surface import Outline, sheet
from synth.warp import HeadToPicture, Region, fit_spline, folds, texture_map, visible_cover, within_head
from tests.synth.builders import head_shape, view

MASK = Outline(top=0.12, bottom=1.38, top_side=0.36, bottom_side=0.9, top_half=0.77, bottom_half=0.62)


def test_a_spline_goes_through_its_points_and_keeps_what_is_flat_flat() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 300, (30, 2))
    values = rng.normal(0, 5, (30, 2))
    np.testing.assert_allclose(fit_spline(points, values)(points), values, atol=1e-3)
    flat = points @ np.array([[1.5, -0.2], [0.3, 0.8]]) + [4, -9]
    elsewhere = rng.uniform(-100, 400, (50, 2))
    expected = elsewhere @ np.array([[1.5, -0.2], [0.3, 0.8]]) + [4, -9]
    np.testing.assert_allclose(fit_spline(points, flat)(elsewhere), expected, atol=1e-5)


def test_points_all_in_one_place_make_no_crash() -> None:
    assert np.isfinite(fit_spline(np.zeros((5, 2)), np.ones((5, 1)))(np.ones((3, 2)))).all()


@pytest.mark.parametrize("person", range(4))
@pytest.mark.parametrize("yaw", [-35, 0, 20])
def test_the_mean_faces_points_come_near_this_faces_landmarks(person: int, yaw: float) -> None:
    landmarks = view(yaw, 5, 10).project(head_shape(person))
    pose = fit_pose(landmarks)
    placed = HeadToPicture(pose, landmarks)(MEAN_FACE)
    assert np.linalg.norm(placed - landmarks, axis=1).mean() < 0.02 * pose.pixels_per_unit
    assert np.linalg.norm(placed - landmarks, axis=1).max() < 0.08 * pose.pixels_per_unit


def test_one_wild_landmark_moves_its_surroundings_no_further_than_a_quarter_or_so() -> None:
    landmarks = view().project(MEAN_FACE)
    landmarks[57] += [0, 80]
    to_picture = HeadToPicture(fit_pose(landmarks), landmarks)
    moved = np.linalg.norm(to_picture(MEAN_FACE) - to_picture.pose.project(MEAN_FACE), axis=1)
    assert moved.max() <= 0.5 * to_picture.pose.pixels_per_unit


def test_the_far_side_of_a_turned_head_faces_away() -> None:
    landmarks = view(yaw=40).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(landmarks), landmarks)
    worn = sheet(MASK)
    facing = to_picture.facing(worn.points, worn.normals)
    # The nose points to the picture's right, so that the cheek at the picture's right is hidden.
    assert facing[8, -1] < 0.1 < facing[8, 3]


@pytest.mark.parametrize("yaw", [-30, 0, 30])
def test_pixels_look_up_the_texture_where_the_sheet_was_placed(yaw: float) -> None:
    landmarks = view(yaw).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(landmarks), landmarks)
    worn = sheet(MASK)
    placed, seen = to_picture(worn.points), to_picture.facing(worn.points, worn.normals)
    region = Region.around(placed, 3, (340, 300))
    mapping = texture_map(placed, seen, region)
    assert mapping.shape == (region.height, region.width, 2)
    rows, columns = placed.shape[:2]
    for row, column in ((4, 8), (8, 12), (12, 16)):
        if seen[row, column] > 0.3:
            x, y = np.round(placed[row, column]).astype(int) - [region.x0, region.y0]
            assert mapping[y, x] == pytest.approx([column / (columns - 1), row / (rows - 1)], abs=0.03)
    assert folds(mapping, visible_cover(placed, seen, region)) == 0


def test_cover_is_the_seen_side_of_the_sheet() -> None:
    square = np.stack(np.meshgrid(np.linspace(10, 30, 5), np.linspace(20, 50, 5)), axis=-1)
    region = Region(0, 0, 60, 60)
    cover = visible_cover(square, np.ones((5, 5)), region)
    assert cover.sum() == pytest.approx(20 * 30, rel=0.12)
    assert cover[35, 20] == 1
    assert cover[5, 5] == 0
    assert visible_cover(square, np.full((5, 5), -1.0), region).max() == 0


def test_folds_are_counted_where_the_mask_is() -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 40), np.linspace(0, 1, 40))
    straight, mirrored = np.stack([x, y], -1), np.stack([1 - x, y], -1)
    assert folds(straight, np.ones((40, 40))) == 0
    assert folds(mirrored, np.ones((40, 40))) == 1
    assert folds(mirrored, np.zeros((40, 40))) == 0


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([[10.2, 20.7], [30.0, 40.0]], (8, 18, 33, 43)),
        ([[-50.0, -50.0], [10.0, 10.0]], (0, 0, 13, 13)),
        ([[90.0, 70.0], [500.0, 500.0]], (88, 68, 100, 80)),
        ([[500.0, 500.0]], (100, 80, 100, 80)),
    ],
)
def test_regions_are_cut_at_the_photo(points: list[list[float]], expected: tuple[int, ...]) -> None:
    region = Region.around(np.array(points), 2, (80, 100, 3))
    assert (region.x0, region.y0, region.x1, region.y1) == expected
    assert np.zeros((80, 100))[region.slices].shape == (region.height, region.width)


def test_a_lattice_has_the_splines_own_values() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 300, (60, 2))
    spline = fit_spline(points, rng.uniform(0, 1, (60, 2)))
    xs, ys = np.linspace(-20, 320, 9), np.linspace(0, 280, 7)
    exact = spline(np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)).reshape(7, 9, 2)
    np.testing.assert_allclose(spline.on_lattice(xs, ys), exact, atol=1e-3)


def test_between_lattice_points_the_map_is_smooth() -> None:
    square = np.stack(np.meshgrid(np.linspace(10, 190, 9), np.linspace(20, 170, 9)), axis=-1)
    mapping = texture_map(square, np.ones((9, 9)), Region(0, 0, 200, 190))
    # A flat sheet's map is flat: equal steps from pixel to pixel.
    np.testing.assert_allclose(np.diff(mapping[..., 0], axis=1), 1 / 180, atol=1e-5)
    np.testing.assert_allclose(np.diff(mapping[..., 1], axis=0), 1 / 150, atol=1e-5)


def test_a_frontal_head_has_no_far_side_and_a_turned_one_ends_there() -> None:
    ahead = view().project(MEAN_FACE)
    assert np.isinf(within_head(ahead.reshape(2, 34, 2), HeadToPicture(fit_pose(ahead), ahead), 0.05))
    turned = view(yaw=30, roll=20).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(turned), turned)
    unit = to_picture.pose.pixels_per_unit
    across = np.array([np.cos(np.radians(20)), np.sin(np.radians(20))])
    nose = turned[33]
    grid = (nose + np.linspace(-1.2, 1.2, 9)[:, None] * unit * across)[None].repeat(3, 0)
    inside = within_head(grid, to_picture, 0.05)
    assert isinstance(inside, np.ndarray)
    assert inside[1, -1] < 0 < inside[1, 4]
    assert inside[1, 0] > 0


def test_a_sheet_beside_the_head_is_left_alone() -> None:
    turned = view(yaw=30).project(MEAN_FACE)
    to_picture = HeadToPicture(fit_pose(turned), turned)
    beside = turned[:9].reshape(3, 3, 2) + np.array([400.0, 0.0])
    assert np.isinf(within_head(beside, to_picture, 0.05))


def test_a_region_cut_at_another_is_what_both_have_in_common() -> None:
    one, other = Region(2, 3, 10, 8), Region(5, 0, 20, 6)
    assert one.cut(other) == other.cut(one) == Region(5, 3, 10, 6)
    assert one.cut(one) == one
    apart = one.cut(Region(12, 3, 20, 8))
    assert apart.width <= 0 < apart.height

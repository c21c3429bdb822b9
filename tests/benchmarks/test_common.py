from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.common import (
    N_POINTS,
    REPOSITORY,
    Portrait,
    evenly,
    load_points,
    outside_repository,
    realdata,
    rolled,
    scaled,
)


def dotted(*places: tuple[int, int], size: tuple[int, int] = (120, 90)) -> Portrait:
    """A dark picture with a bright square of 5 pixels about each point; the other points lie on the first."""
    width, height = size
    rgb = np.zeros((height, width, 3), dtype=np.uint8)
    for x, y in places:
        rgb[y - 2 : y + 3, x - 2 : x + 3] = 255
    points = np.tile(np.array(places[0], dtype=np.float64), (N_POINTS, 1))
    points[: len(places)] = places
    return Portrait("dots", rgb, points)


def brightest(portrait: Portrait, point: np.ndarray) -> np.ndarray:
    """Centre of the light within ten pixels of a point."""
    rows, columns = np.mgrid[: portrait.rgb.shape[0], : portrait.rgb.shape[1]]
    weight = portrait.rgb[..., 0].astype(np.float64)
    weight[np.hypot(columns - point[0], rows - point[1]) > 10] = 0
    assert weight.sum() > 0
    return np.asarray([float((weight * columns).sum()), float((weight * rows).sum())]) / float(weight.sum())


def test_points_are_read(tmp_path: Path) -> None:
    lines = [f"{index}.5\t{2 * index}.25" for index in range(N_POINTS)]
    path = tmp_path / "a.tem"
    path.write_text("\n".join([str(N_POINTS), *lines, "3", "0 1 2"]), encoding="utf-8")
    points = load_points(path)
    assert points.shape == (N_POINTS, 2)
    np.testing.assert_allclose(points[10], [10.5, 20.25])


def test_another_number_of_points_is_said(tmp_path: Path) -> None:
    path = tmp_path / "b.tem"
    path.write_text("2\n1 2\n3 4\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"b\.tem: expected 189 points"):
        load_points(path)


@pytest.mark.parametrize("degrees", [0, 15, 45, -30, 90])
def test_rolling_takes_the_points_along(degrees: float) -> None:
    turned = rolled(dotted((20, 20), (100, 30), (60, 75)), degrees)
    for point in turned.points[:3]:
        np.testing.assert_allclose(brightest(turned, point), point, atol=0.3)
    height, width = turned.rgb.shape[:2]
    assert (turned.points >= 0).all()
    assert (turned.points < [width, height]).all()


def test_rolling_is_clockwise() -> None:
    across = np.diff(rolled(dotted((20, 45), (100, 45)), 30).points[:2], axis=0)[0]
    assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(30)


@pytest.mark.parametrize("factor", [0.5, 0.8, 2.0])
def test_scaling_takes_the_points_along(factor: float) -> None:
    sized = scaled(dotted((20, 20), (100, 30), (60, 75)), factor)
    assert sized.rgb.shape[:2] == (round(90 * factor), round(120 * factor))
    for point in sized.points[:3]:
        np.testing.assert_allclose(brightest(sized, point), point, atol=0.3)


def test_evenly_spreads_over_all() -> None:
    paths = [Path(str(index)) for index in range(10)]
    assert evenly(paths, 20) == paths
    assert [int(path.name) for path in evenly(paths, 3)] == [0, 3, 6]


def test_missing_photographs_end_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PALETTE_REALDATA", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        realdata("faces")
    assert ended.value.code == 2
    assert "set PALETTE_REALDATA" in capsys.readouterr().err
    (tmp_path / "faces").mkdir()
    assert realdata("faces") == tmp_path / "faces"


def test_pictures_stay_out_of_the_repository(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        outside_repository(REPOSITORY / "docs" / "sheets")
    assert ended.value.code == 2
    assert outside_repository(tmp_path / "new" / "folder").is_dir()

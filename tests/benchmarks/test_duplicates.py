from __future__ import annotations

import numpy as np
from PIL import Image

from benchmarks.duplicates import KINDS, plant, search, side_by_side, sort_out
from tests.datasets.duplicates.scenes import scene


def photos(folder, count=8):
    folder.mkdir()
    for number in range(count):
        Image.fromarray(scene(number)).save(folder / f"{number}.jpg", quality=92)
    return sorted(folder.iterdir())


def test_each_kind_of_copy_is_planted_as_often_and_never_twice_of_a_photo(tmp_path):
    out = tmp_path / "planted"
    out.mkdir()
    files, truth = plant(photos(tmp_path / "photos"), 8, out)
    assert sorted(kind for _, kind in truth.values()) == sorted(KINDS * 2)
    assert len({original for original, _ in truth.values()}) == 8
    for file in files:
        width, height = Image.open(file).size
        cropped = "cropped" in truth[file.name][1]
        assert (abs(width / height - 0.75) < 0.01) or cropped


def test_what_is_found_is_sorted_out(tmp_path):
    paths = photos(tmp_path / "photos")
    (tmp_path / "photos" / "twin.jpg").write_bytes(paths[0].read_bytes() + b"\0")
    found, truth = search(sorted((tmp_path / "photos").iterdir()), 4, tmp_path)
    hits, among, others = sort_out(found, truth)
    assert hits.total() == 4
    assert len(among) == 1
    assert len(others) <= 1  # the twin may be one of the originals
    side_by_side(found, among, tmp_path)
    assert np.asarray(Image.open(tmp_path / "pairs_0.png")).shape == (150, 4 * 308, 3)

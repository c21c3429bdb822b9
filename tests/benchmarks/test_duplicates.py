from __future__ import annotations

import numpy as np
from PIL import Image

from benchmarks.duplicates import KINDS, near_pairs, plant, search, side_by_side, sort_out
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


def test_pairs_of_faces_are_counted_in_blocks_as_all_at_once():
    faces = np.random.default_rng(2).normal(size=(23, 8))
    apart = np.linalg.norm(faces[:, None] - faces, axis=2)
    first, second = np.triu_indices(23, 1)
    every = sorted(zip(apart[first, second].tolist(), first.tolist(), second.tolist(), strict=True))
    for block in (1, 7, 23, 100):
        counts, nearest = near_pairs(faces, (1.0, 3.0, 100.0), 20, block)
        assert counts == [int((apart[first, second] <= limit).sum()) for limit in (1.0, 3.0, 100.0)]
        assert [pair[1:] for pair in nearest] == [pair[1:] for pair in every[:20]]
        np.testing.assert_allclose([pair[0] for pair in nearest], [pair[0] for pair in every[:20]])
    assert near_pairs(faces[:2], (9.0,), 20)[1] == [(np.linalg.norm(faces[0] - faces[1]), 0, 1)]

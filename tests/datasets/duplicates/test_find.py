from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from datasets.duplicates import find
from datasets.duplicates.find import find_duplicates
from datasets.errors import MergeError, UsageError
from datasets.manifest import make_manifest, write_manifest
from datasets.workers import stream_files
from tests.datasets.builders import encode
from tests.datasets.duplicates.scenes import copied, photo_row, scene


def save(folder, rows):
    write_manifest(make_manifest(rows), folder)
    return folder


@pytest.fixture
def sources(tmp_path):
    """Ten photos of ten people, and a second source with copies of five of them and one stranger."""
    own, other = tmp_path / "own", tmp_path / "other"
    originals = [encode(Image.fromarray(scene(seed)), quality=92) for seed in range(10)]
    rows = [photo_row(own, f"{i}.jpg", data, source="own", gender="male", age=20.0) for i, data in enumerate(originals)]
    copies = {
        "same.jpg": originals[0],
        "again.jpg": copied(scene(1), quality=45),
        "crop.jpg": copied(scene(2), box=(0.2, 0.1, 0.95, 0.9)),
        "mirror.jpg": copied(scene(3), mirrored=True),
        "both.jpg": copied(scene(4), box=(0, 0.2, 0.8, 1), mirrored=True),
        "new.jpg": copied(scene(99)),
    }
    theirs = [photo_row(other, name, data, source="other", gender="female") for name, data in copies.items()]
    return [save(own, rows), save(other, theirs)]


WANTED = [
    ["exact", "other:same.jpg", "own:0.jpg", False],
    ["near", "other:again.jpg", "own:1.jpg", False],
    ["near", "other:both.jpg", "own:4.jpg", True],
    ["near", "other:crop.jpg", "own:2.jpg", False],
    ["near", "other:mirror.jpg", "own:3.jpg", True],
]


def test_copies_across_sources_are_found(sources, tmp_path):
    found = find_duplicates(sources, cache=tmp_path / "prints.npz")
    assert found.table[["kind", "first", "second", "mirrored"]].values.tolist() == WANTED
    assert set(found.table["conflict"]) == {"gender female/male"}
    assert found.refusals.empty
    again = find_duplicates(sources[::-1], cache=tmp_path / "prints.npz")
    assert again.table.equals(found.table)


def test_the_cache_spares_opening_and_a_broken_one_does_not_matter(sources, tmp_path, monkeypatch):
    cache = tmp_path / "prints.npz"
    find_duplicates(sources, cache=cache)
    before = cache.read_bytes()

    def fail(item):
        raise AssertionError(f"{item} was opened again")

    with monkeypatch.context() as patched:
        patched.setattr(find, "_fingerprint_file", fail)
        assert len(find_duplicates(sources, cache=cache).table) == len(WANTED)
    cache.write_bytes(before[:100])
    assert len(find_duplicates(sources, cache=cache).table) == len(WANTED)
    assert cache.read_bytes() == before


def test_what_is_gone_or_changed_since_the_cache_was_written_is_refused(sources, tmp_path):
    own, cache = sources[0], tmp_path / "prints.npz"
    find_duplicates(sources, cache=cache)
    (own / "1.jpg").unlink()
    (own / "2.jpg").write_bytes(copied(scene(77)))
    (own / "3.jpg").write_bytes(b"no picture")
    found = find_duplicates(sources, cache=cache)
    assert found.table["second"].tolist() == ["own:0.jpg", "own:4.jpg"]
    assert found.refusals[["photo_id", "stage", "reason"]].values.tolist() == [
        ["own:1.jpg", "duplicates", "unreadable"],
        ["own:2.jpg", "duplicates", "changed"],
        ["own:3.jpg", "duplicates", "not_an_image"],
    ]


def _die_on_the_crop(pair):
    if any(photo_id == "other:crop.jpg" for photo_id, _, _ in pair):
        os._exit(1)
    return find._compare_files(pair)


def test_a_comparison_that_kills_its_process_is_refused(sources, tmp_path, monkeypatch):
    def isolated(function, items, *, workers, crashed, progress):
        function = _die_on_the_crop if function is find._compare_files else function
        batches = stream_files(function, items, workers=workers, crashed=crashed, isolated=True)
        return [result for batch in batches for result in batch]

    monkeypatch.setattr(find, "map_files", isolated)
    found = find_duplicates(sources, cache=tmp_path / "prints.npz")
    assert "own:2.jpg" not in found.table["second"].tolist()
    assert len(found.table) == len(WANTED) - 1
    assert found.refusals[["photo_id", "reason"]].values.tolist() == [
        ["other:crop.jpg", "crashed"],
        ["own:2.jpg", "crashed"],
    ]


def test_photos_of_one_person_are_no_duplicates_unless_their_bytes_are(tmp_path):
    picture = encode(Image.fromarray(scene(1)))
    files = {"a.jpg": picture, "b.jpg": copied(scene(1)), "c.jpg": picture}
    rows = [photo_row(tmp_path, name, data, person_id="folder:kim") for name, data in files.items()]
    table = find_duplicates([save(tmp_path, rows)]).table
    assert table[["kind", "first", "second"]].values.tolist() == [["exact", "folder:a.jpg", "folder:c.jpg"]]


def test_what_cannot_be_opened_is_refused_and_the_rest_goes_on(sources):
    own = sources[0]
    (own / "7.jpg").write_bytes(b"no picture")
    (own / "8.jpg").unlink()
    (own / "9.jpg").write_bytes(copied(scene(1234)))
    found = find_duplicates(sources)
    assert found.refusals[["photo_id", "stage", "reason"]].values.tolist() == [
        ["own:7.jpg", "duplicates", "not_an_image"],
        ["own:8.jpg", "duplicates", "unreadable"],
        ["own:9.jpg", "duplicates", "changed"],
    ]
    assert len(found.table) == len(WANTED)


def test_what_could_not_be_opened_is_not_tried_again(sources, monkeypatch):
    """It may have killed the process that opened it. Its hash, in the manifest, still makes it a candidate."""
    (sources[0] / "1.jpg").write_bytes(b"no picture")
    assert find_duplicates(sources).refusals["photo_id"].tolist() == ["own:1.jpg"]
    opened = []
    real = find.read_photo
    monkeypatch.setattr(find, "read_photo", lambda path, **how: opened.append(path.name) or real(path, **how))
    find_duplicates(sources)
    assert opened.count("1.jpg") == 1
    assert opened.count("2.jpg") == 2


def test_progress_is_told(sources):
    told = []
    find_duplicates(sources, reporting=find.Reporting(lambda done, total: told.append((done, total))))
    assert told[-1] == (15, 15)  # one of the sixteen files is another's twin


def test_wrong_calls_are_named(tmp_path):
    with pytest.raises(UsageError, match="name at least one manifest"):
        find_duplicates([])
    one = save(tmp_path / "a", [photo_row(tmp_path / "a", "x.jpg", copied(scene(1)))])
    two = save(tmp_path / "b", [photo_row(tmp_path / "b", "x.jpg", copied(scene(2)))])
    with pytest.raises(MergeError, match=r"such as 'folder:x\.jpg'"):
        find_duplicates([one, two])
    assert np.array_equal(find_duplicates([one, one]).table.shape, (0, 8))

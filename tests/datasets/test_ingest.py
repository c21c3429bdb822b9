from __future__ import annotations

import pandas as pd
import pytest

from datasets.errors import UsageError
from datasets.licences import find_licence
from datasets.manifest import REFUSALS, read_manifest, read_refusals
from datasets.readers import get_reader, ingest, list_readers, save_ingest
from tests.datasets.archive_builders import pack
from tests.datasets.builders import (
    as_nobody,
    encode,
    flat_png,
    open_folder,
    picture,
    save_photo,
    write_competition,
)


def write_broken(root):
    """A folder with every kind of file that has gone wrong; returns what should come of each."""
    good = encode(picture(7, (480, 640)))
    files = {
        "truncated.jpg": (good[: len(good) // 2], "truncated"),
        "text.jpg": (b"a shopping list", "not_an_image"),
        "empty.jpg": (b"", "empty_file"),
        "one_pixel.png": (encode(picture(size=(1, 1)), "PNG"), "too_small"),
        "huge.png": (flat_png(20_000, 20_000), "too_large"),
        "tiff.jpg": (encode(picture(), "TIFF"), "not_a_photo_format"),
        "gray.jpg": (encode(picture(1).convert("L")), None),
        "sixteen.png": (encode(picture(2).convert("I;16"), "PNG"), None),
        "cmyk.jpg": (encode(picture(3).convert("CMYK")), None),
        "rgba.png": (encode(picture(4).convert("RGBA"), "PNG"), None),
        "animated.jpg": (
            encode(picture(5).quantize(), "GIF", save_all=True, append_images=[picture(6).quantize()]),
            None,
        ),
        'it\'s "quoted", 마스크 1.jpg': (encode(picture(8)), None),
    }
    for name, (data, _) in files.items():
        (root / name).write_bytes(data)
    save_photo(root.parent / "outside.jpg")
    (root / "link.jpg").symlink_to(root.parent / "outside.jpg")
    fates = {name: fate for name, (_, fate) in files.items()}
    return {**fates, "link.jpg": "outside_root"}


@pytest.mark.parametrize("workers", [1, 2])
def test_broken_files_are_refused_and_the_rest_goes_on(workers):
    with open_folder() as folder:
        root = folder / "photos"
        root.mkdir()
        fates = write_broken(root)
        result = ingest("folder", root, workers=workers)
    refused = dict(zip(result.refusals["photo_id"].str.removeprefix("folder:"), result.refusals["reason"], strict=True))
    assert refused == {name: fate for name, fate in fates.items() if fate}
    assert set(result.manifest["path"]) == {name for name, fate in fates.items() if not fate}
    assert not result.refusals["detail"].str.contains(str(folder), regex=False).any()


def test_a_file_without_permission_is_refused_and_the_rest_goes_on():
    with open_folder() as root:
        save_photo(root / "open.jpg")
        save_photo(root / "closed.jpg").chmod(0)
        with as_nobody():
            result = ingest("folder", root)
    assert result.manifest["path"].tolist() == ["open.jpg"]
    assert result.refusals[["photo_id", "reason"]].values.tolist() == [["folder:closed.jpg", "unreadable"]]


def test_any_number_of_workers_gives_the_same(tmp_path):
    people = {f"{i:06d}_male_Asian_{20 + i}": (f"{i:06d}", "male", str(20 + i)) for i in range(12)}
    write_competition(tmp_path, people)
    told = []
    one = ingest("competition", tmp_path, workers=1, progress=lambda done, total: told.append((done, total)))
    three = ingest("competition", tmp_path, workers=3)
    pd.testing.assert_frame_equal(one.manifest, three.manifest)
    pd.testing.assert_frame_equal(one.refusals, three.refusals)
    assert told[-1] == (84, 84)
    assert len(told) > 1


def test_manifest_describes_the_files(tmp_path):
    save_photo(tmp_path / "a.jpg", size=(300, 400))
    row = ingest("folder", tmp_path).manifest.iloc[0]
    assert (row["width"], row["height"]) == (300, 400)
    assert len(row["phash"]) == 16


def test_unknown_source(tmp_path):
    with pytest.raises(UsageError, match="unknown source 'celeba'; known: all-age-faces, competition, folder"):
        ingest("celeba", tmp_path)
    save_photo(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match="at least 1"):
        ingest("folder", tmp_path, workers=0)


def test_readers_say_what_they_are():
    names = ["all-age-faces", "competition", "folder", "medical-masks", "mega-age", "mega-age-asian"]
    assert [info.name for info in list_readers()] == names
    for info in list_readers():
        assert get_reader(info.name)[0] is info
        assert all((info.licence, info.expects, info.lacks, info.published, info.home))
        assert find_licence(info.licence).kind != "unknown"


def test_saved_beside_the_photos_it_names_them_in_place(tmp_path):
    save_photo(tmp_path / "photos" / "sub" / "a.jpg")
    ingested = ingest("folder", tmp_path / "photos")
    for out, path in ((tmp_path / "photos", "sub/a.jpg"), (tmp_path, "photos/sub/a.jpg")):
        file = save_ingest(ingested, out)
        assert file == out / "manifest.parquet"
        assert read_manifest(out)["path"].tolist() == [path]
        assert (out / "manifest.csv").exists()
        assert (out / REFUSALS).exists()
    assert not (tmp_path / "photos" / "photos").exists()


@pytest.mark.parametrize(("photos", "linked"), [("auto", True), ("link", True), ("copy", False)])
def test_saved_elsewhere_it_brings_the_photos_along(tmp_path, photos, linked):
    source = save_photo(tmp_path / "in" / "sub" / "a.jpg")
    out = tmp_path / "out"
    save_ingest(ingest("folder", tmp_path / "in"), out, photos)
    (path,) = read_manifest(out)["path"]
    assert path == "photos/folder/sub/a.jpg"
    assert (out / path).read_bytes() == source.read_bytes()
    assert (out / path).samefile(source) is linked


def test_saving_again_changes_nothing(tmp_path):
    save_photo(tmp_path / "in" / "a.jpg")
    (tmp_path / "in" / "b.jpg").write_bytes(b"")
    contents = []
    for _ in range(2):
        save_ingest(ingest("folder", tmp_path / "in"), tmp_path / "out")
        contents.append({path: path.read_bytes() for path in sorted((tmp_path / "out").rglob("*.*"))})
    assert contents[0] == contents[1]
    assert read_refusals(tmp_path / "out")["reason"].tolist() == ["empty_file"]


def test_output_inside_the_dataset_is_not_ingested_the_next_time(tmp_path):
    save_photo(tmp_path / "a.jpg")
    first = ingest("folder", tmp_path)
    save_ingest(first, tmp_path / "out")
    assert (tmp_path / "out" / "photos" / "folder" / "a.jpg").exists()
    pd.testing.assert_frame_equal(ingest("folder", tmp_path).manifest, first.manifest)


def test_a_folder_that_was_ingested_into_can_be_ingested_again(tmp_path):
    save_photo(tmp_path / "a.jpg")
    first = ingest("folder", tmp_path)
    save_ingest(first, tmp_path)
    pd.testing.assert_frame_equal(ingest("folder", tmp_path).manifest, first.manifest)


def test_an_archive_beside_what_was_unpacked_is_told(tmp_path):
    save_photo(tmp_path / "in" / "a.jpg")
    pack(tmp_path / "in" / "part2.zip", {"b.jpg": b"b"})
    result = ingest("folder", tmp_path / "in")
    assert result.manifest["path"].tolist() == ["a.jpg"]
    assert result.refusals[["photo_id", "stage", "reason"]].values.tolist() == [
        ["folder:part2.zip", "find", "not_unpacked"]
    ]

from __future__ import annotations

import os

import pytest

from datasets.errors import LayoutError
from datasets.finding import find_photos
from tests.datasets.builders import as_nobody, open_folder, save_photo


def names(root):
    return [photo.relative for photo in find_photos(root)[0]]


def reasons(root):
    return {refusal.photo_id: refusal.reason for refusal in find_photos(root)[1]}


def test_finds_nested_photos_in_a_fixed_order(tmp_path):
    wanted = ["B.JPG", "a/b/c/deep.webp", "a/x.jpeg", "a/y.Png", "z.bmp"]
    for name in reversed(wanted):
        save_photo(tmp_path / name)
    photos, refusals = find_photos(tmp_path)
    assert [photo.relative for photo in photos] == wanted
    assert [photo.path for photo in photos] == [tmp_path / name for name in wanted]
    assert refusals == []


def test_passes_over_clutter(tmp_path):
    save_photo(tmp_path / "a.jpg")
    for name in (
        "._a.jpg",
        ".ipynb_checkpoints/a.jpg",
        "__MACOSX/a.jpg",
        ".hidden/b/a.jpg",
        "notes.txt",
        "jpg",
        "a.gif",
    ):
        save_photo(tmp_path / name)
    assert find_photos(tmp_path) == find_photos(tmp_path)
    assert names(tmp_path) == ["a.jpg"]
    assert reasons(tmp_path) == {}


@pytest.mark.parametrize(
    "name", ["a b.jpg", 'it\'s "so".jpg', "사진/마스크.jpg", "e\u0301.jpg", "\u202fnarrow\u200d.jpg"]
)
def test_keeps_names_as_on_disk(tmp_path, name):
    save_photo(tmp_path / name)
    assert names(tmp_path) == [name]


@pytest.mark.parametrize("name", [b"back\\slash.jpg", b"new\nline.jpg", b"\xff\xfe.jpg", b"bell\x07.jpg"])
def test_names_that_no_manifest_can_hold(tmp_path, name):
    (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    photos, refusals = find_photos(tmp_path)
    assert photos == []
    assert [refusal.reason for refusal in refusals] == ["unsafe_name"]
    assert "\n" not in refusals[0].photo_id
    refusals[0].photo_id.encode("utf-8")


def test_what_was_written_into_a_subfolder_is_no_input(tmp_path):
    for name in ("a.jpg", "out/photos/folder/a.jpg", "out/manifest.parquet", "manifest.parquet", "sub/b.jpg"):
        save_photo(tmp_path / name)
    assert names(tmp_path) == ["a.jpg", "sub/b.jpg"]
    assert names(tmp_path / "out") == ["photos/folder/a.jpg"]


def test_links(tmp_path):
    root = tmp_path / "root"
    save_photo(root / "a.jpg")
    save_photo(tmp_path / "outside" / "secret.jpg")
    (root / "inside.jpg").symlink_to("a.jpg")
    (root / "outside.jpg").symlink_to(tmp_path / "outside" / "secret.jpg")
    (root / "sub").symlink_to(tmp_path / "outside")
    (root / "dangling.jpg").symlink_to("gone.jpg")
    (root / "passwd").symlink_to("/etc/passwd")
    assert names(root) == ["a.jpg", "inside.jpg"]
    assert reasons(root) == {"outside.jpg": "outside_root", "sub": "outside_root", "dangling.jpg": "unreadable"}
    assert len(find_photos(root)[1]) == 3


def test_a_neighbour_with_a_longer_name_is_outside(tmp_path):
    save_photo(tmp_path / "root-2" / "a.jpg")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.jpg").symlink_to(tmp_path / "root-2" / "a.jpg")
    assert names(tmp_path / "root") == []


def test_links_in_a_circle_end(tmp_path):
    save_photo(tmp_path / "a" / "x.jpg")
    save_photo(tmp_path / "b" / "y.jpg")
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path)
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    assert names(tmp_path) == ["a/x.jpg", "b/y.jpg"]


def test_a_link_is_the_only_way_to_a_hidden_folder(tmp_path):
    save_photo(tmp_path / ".store" / "x.jpg")
    (tmp_path / "photos").symlink_to(".store")
    assert names(tmp_path) == ["photos/x.jpg"]


def test_root_may_be_a_link(tmp_path):
    save_photo(tmp_path / "real" / "a.jpg")
    (tmp_path / "link").symlink_to("real")
    assert names(tmp_path / "link") == ["a.jpg"]


def test_folder_without_permission():
    with open_folder() as root:
        save_photo(root / "a.jpg")
        save_photo(root / "closed" / "b.jpg").parent.chmod(0)
        with as_nobody():
            assert names(root) == ["a.jpg"]
            assert reasons(root) == {"closed": "unreadable"}
            with pytest.raises(LayoutError, match="Permission denied"):
                find_photos(root / "closed")


def test_no_folder(tmp_path):
    with pytest.raises(LayoutError, match="no such folder"):
        find_photos(tmp_path / "none")
    with pytest.raises(LayoutError, match="is a file"):
        find_photos(save_photo(tmp_path / "a.jpg"))

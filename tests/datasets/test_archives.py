from __future__ import annotations

import errno
import shutil
import tarfile
import zipfile

import numpy as np
import pytest

from datasets import archive_entries, archives
from datasets.archive_entries import Limits
from datasets.archives import is_archive, open_root, unpack
from datasets.errors import ArchiveError, DatasetsError, LayoutError, OutputError, UsageError
from datasets.readers import ingest
from tests.datasets.archive_builders import KINDS, add, contents, pack, pack_folder, zip_link
from tests.datasets.builders import write_competition, write_medical_masks, write_mega_age

FILES = {"a.csv": b"name,age\n", "images/1.jpg": b"one" * 700, "images/deep/2.jpg": bytes(512)}


@pytest.mark.parametrize("kind", KINDS)
def test_what_went_in_comes_out(tmp_path, kind):
    archive = pack(tmp_path / f"set{kind}", FILES)
    folder = unpack(archive, tmp_path / "out")
    assert folder == tmp_path / "out" / "set"
    assert contents(folder) == FILES
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["set"]


@pytest.mark.parametrize("kind", KINDS)
def test_content_says_the_kind_and_not_the_name(tmp_path, kind):
    archive = pack(tmp_path / f"set{kind}", FILES)
    renamed = archive.rename(tmp_path / ("x.tar" if kind == ".zip" else "x.zip"))
    assert contents(unpack(renamed, tmp_path / "out")) == FILES


@pytest.mark.parametrize("kind", [".zip", ".tar.gz"])
def test_clutter_is_left_out_and_names_are_tidied(tmp_path, kind):
    clutter = {
        "__MACOSX/._a.csv": b"x",
        "images/._1.jpg": b"x",
        ".DS_Store": b"x",
        "images/.ipynb_checkpoints/1.jpg": b"",
    }
    archive = pack(tmp_path / f"set{kind}", {"./a.csv": b"a", "images//1.jpg": b"b", **clutter})
    assert contents(unpack(archive, tmp_path / "out")) == {"a.csv": b"a", "images/1.jpg": b"b"}


def test_an_unpacked_archive_is_not_unpacked_again(tmp_path, monkeypatch):
    archive = pack(tmp_path / "set.zip", FILES)
    unpack(archive, tmp_path / "out")
    monkeypatch.setattr(archives, "entries_of", None)
    assert contents(unpack(archive, tmp_path / "out")) == FILES


def test_a_changed_archive_replaces_what_the_old_one_held(tmp_path):
    archive = pack(tmp_path / "set.zip", FILES)
    unpack(archive, tmp_path / "out")
    pack(archive, {"b.csv": b"new"})
    assert contents(unpack(archive, tmp_path / "out")) == {"b.csv": b"new"}


def test_a_folder_that_is_in_the_way_is_left_alone(tmp_path):
    archive = pack(tmp_path / "set.zip", FILES)
    (tmp_path / "out" / "set").mkdir(parents=True)
    (tmp_path / "out" / "set" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"is in the way of what set\.zip holds"):
        unpack(archive, tmp_path / "out")
    assert contents(tmp_path / "out") == {"set/mine.txt": b"mine"}


@pytest.mark.parametrize("kind", [".zip", ".tar.xz"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_killed_unpacking_goes_on(tmp_path, monkeypatch, kind, at):
    archive, out = pack(tmp_path / f"set{kind}", FILES), tmp_path / "out"
    written, whole = [], archives._write

    def write(archive, entry, target, temporary):
        if len(written) == at:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt
        written.append(entry.name)
        whole(archive, entry, target, temporary)

    monkeypatch.setattr(archives, "_write", write)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, out)
    assert not (out / "set").exists()
    assert sorted(contents(out / ".set.partial")) == sorted(written)
    inodes = {name: (out / ".set.partial" / name).stat().st_ino for name in written}
    monkeypatch.setattr(archives, "_write", whole)
    folder = unpack(archive, out)
    assert contents(folder) == FILES
    assert {name: (folder / name).stat().st_ino for name in written} == inodes
    assert [path.name for path in out.iterdir()] == ["set"]


def unpack_and_be_killed(archive, out, monkeypatch, before):
    """Unpacks an archive up to the file of this name."""
    whole = archives._write

    def stop(archive, entry, *rest):
        if entry.name == before:
            raise KeyboardInterrupt
        whole(archive, entry, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(archives, "_write", stop)
        with pytest.raises(KeyboardInterrupt):
            unpack(archive, out)


def test_what_another_archive_left_half_done_is_not_gone_on_with(tmp_path, monkeypatch):
    archive, out = pack(tmp_path / "set.zip", FILES), tmp_path / "out"
    unpack_and_be_killed(archive, out, monkeypatch, "images/1.jpg")
    pack(archive, {"a.csv": b"NAME,AGE\n"})  # of the same length as the file that is there
    assert contents(unpack(archive, out)) == {"a.csv": b"NAME,AGE\n"}


@pytest.mark.parametrize("kind", [".zip", ".tar"])
@pytest.mark.parametrize(
    "name", ["../up.jpg", "/etc/up.jpg", "a/../../up.jpg", "C:/up.jpg", "a\\up.jpg", "a\nb.jpg", ".."]
)
def test_no_name_leads_outside(tmp_path, kind, name):
    archive = pack(tmp_path / "in" / f"set{kind}", {"a.jpg": b"a", name: b"bad"})
    with pytest.raises(ArchiveError, match="leads outside its folder or that no folder can have"):
        unpack(archive, tmp_path / "in" / "out")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [archive.name]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        add(tar, "a.jpg", b"a")
        add(tar, "b.jpg", kind=kind, target="../../etc/passwd")
    with pytest.raises(ArchiveError, match=r"holds a (link|special file), 'b\.jpg'"):
        unpack(tmp_path / "set.tar.gz", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_link_in_a_zip_is_refused(tmp_path):
    with pytest.raises(ArchiveError, match=r"holds a link, 'b\.jpg'"):
        unpack(zip_link(tmp_path / "set.zip", "b.jpg", "/etc/passwd"), tmp_path / "out")


def test_one_name_twice(tmp_path):
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        add(tar, "a.jpg", b"a")
        add(tar, "./a.jpg", b"b")
    with pytest.raises(ArchiveError, match=r"holds a\.jpg twice"):
        unpack(tmp_path / "set.tar", tmp_path / "out")


@pytest.mark.parametrize("names", [("a", "a/b.jpg"), ("a/b.jpg", "a")])
@pytest.mark.parametrize("kind", [".zip", ".tar"])
def test_a_file_that_is_a_folder_too(tmp_path, names, kind):
    archive = pack(tmp_path / f"set{kind}", dict.fromkeys(names, b"x"))
    with pytest.raises(ArchiveError, match=r"as a folder"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.xz"])
def test_too_many_files(tmp_path, kind):
    archive = pack(tmp_path / f"set{kind}", {f"{number}.jpg": b"" for number in range(11)})
    with pytest.raises(ArchiveError, match="more than 10 files"):
        unpack(archive, tmp_path / "out", limits=Limits(files=10))
    assert contents(unpack(archive, tmp_path / "out", limits=Limits(files=11))).keys() == {
        f"{n}.jpg" for n in range(11)
    }


@pytest.mark.parametrize("kind", [".zip", ".tar"])
def test_too_many_bytes(tmp_path, kind):
    archive = pack(tmp_path / f"set{kind}", {"a.jpg": bytes(20_000), "b.jpg": bytes(20_000)})
    with pytest.raises(ArchiveError, match=r"would unpack to [\d,]+ bytes or more"):
        unpack(archive, tmp_path / "out", limits=Limits(bytes=30_000))


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.xz", ".tar.bz2"])
def test_bombs_are_told_by_how_tightly_they_are_packed(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archive_entries, "_ALLOWANCE", 1_000_000)
    archive = pack(tmp_path / f"bomb{kind}", {"a.jpg": bytes(2_000_000)})
    with pytest.raises(ArchiveError, match="which no set of photos does"):
        unpack(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_zip_that_lies_about_a_size(tmp_path):
    archive = pack(tmp_path / "set.zip", {"a.jpg": bytes(5000)})
    data = bytearray(archive.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_header_that_would_fill_the_memory(tmp_path):
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 8 * 1024**3 - 1
    (tmp_path / "set.tar").write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(10_240))
    with pytest.raises(ArchiveError, match="a header of 8,589,934,592 bytes"):
        unpack(tmp_path / "set.tar", tmp_path / "out")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_archives_that_are_cut_off(tmp_path, kind, share):
    noise = np.random.default_rng(0).bytes(60_000)
    archive = pack(tmp_path / f"set{kind}", {"a.jpg": noise, "b.jpg": noise[::-1]})
    size = archive.stat().st_size
    with archive.open("r+b") as handle:
        handle.truncate(min(int(size * share), size - 10_240) if kind == ".tar" else int(size * share))
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_archives_give_an_error_of_ours_or_what_went_in(tmp_path, kind):
    archive = pack(tmp_path / f"set{kind}", FILES)
    data = archive.read_bytes()
    generator = np.random.default_rng(1)
    told, came = [], set()
    for number in range(60):
        damaged = bytearray(data)
        for at in generator.integers(0, len(data), 3):
            damaged[at] = generator.integers(0, 256)
        archive.write_bytes(damaged)
        try:
            came |= set(contents(unpack(archive, tmp_path / f"out{number}")).values())
        except DatasetsError as error:
            told.append(str(error))
    assert len(told) > 5
    assert not any("\n" in message for message in told)
    if kind != ".tar":  # which keeps no checksum of its files
        assert came <= set(FILES.values())


@pytest.mark.parametrize("kind", [".tar.gz", ".tar.xz", ".tar.bz2"])
@pytest.mark.parametrize("harm", ["the checksum at the end", "the last bytes missing"])
def test_what_comes_after_the_last_file_is_checked_as_well(tmp_path, kind, harm):
    noise = np.random.default_rng(2).bytes(400_000)
    archive = pack(tmp_path / f"set{kind}", {"a.jpg": noise})
    data = bytearray(archive.read_bytes())
    if harm == "the last bytes missing":
        del data[-6:]
    else:
        # gzip ends with a CRC of 4 bytes and a length of 4; the ends of xz and bzip2 hold theirs as well.
        data[-7] ^= 0x10
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match="is damaged"):
        unpack(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_headers_that_lead_to_headers_are_told_as_damage(tmp_path):
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 0
    (tmp_path / "set.tar").write_bytes(header.tobuf() * 5000 + bytes(1024))
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(tmp_path / "set.tar", tmp_path / "out")


def test_no_room(tmp_path, monkeypatch):
    archive = pack(tmp_path / "set.zip", FILES)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(OutputError, match=r"needs 0\.0 GB unpacked; 0\.0 GB are free"):
        unpack(archive, tmp_path / "out")


def test_what_a_killed_unpacking_wrote_needs_no_room_again(tmp_path, monkeypatch):
    archive = pack(tmp_path / "set.zip", FILES)
    unpack_and_be_killed(archive, tmp_path / "out", monkeypatch, "images/deep/2.jpg")
    usage = shutil.disk_usage(tmp_path)
    for free, fits in ((200, False), (512, True)):  # the last file holds 512 bytes
        monkeypatch.setattr(archives.shutil, "disk_usage", lambda _, free=free: usage._replace(free=free))
        if fits:
            assert contents(unpack(archive, tmp_path / "out")) == FILES
        else:
            with pytest.raises(OutputError, match="are free"):
                unpack(archive, tmp_path / "out")


def test_killed_between_the_mark_and_the_name(tmp_path, monkeypatch):
    archive = pack(tmp_path / "set.zip", FILES)
    unpack(archive, tmp_path / "out").rename(tmp_path / "out" / ".set.partial")
    monkeypatch.setattr(archives, "entries_of", None)  # nothing is read again
    assert contents(unpack(archive, tmp_path / "out")) == FILES


def test_a_disk_that_fills_up_keeps_what_is_done(tmp_path, monkeypatch):
    archive, whole = pack(tmp_path / "set.tar.gz", FILES), archives._write

    def write(archive, entry, *rest):
        if entry.name == "images/1.jpg":
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(archive, entry, *rest)

    monkeypatch.setattr(archives, "_write", write)
    with pytest.raises(OutputError, match=r"cannot unpack set\.tar\.gz.*No space left"):
        unpack(archive, tmp_path / "out")
    monkeypatch.setattr(archives, "_write", whole)
    assert contents(unpack(archive, tmp_path / "out")) == FILES


def test_a_password(tmp_path):
    archive = pack(tmp_path / "set.zip", FILES)
    data = bytearray(archive.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    archive.write_bytes(data)
    with pytest.raises(ArchiveError, match="password"):
        unpack(archive, tmp_path / "out")


@pytest.mark.parametrize("data", [b"", b"PK", b"a shopping list" * 100, b"\x1f\x8b" + bytes(100)])
def test_what_is_no_archive(tmp_path, data):
    (tmp_path / "set.zip").write_bytes(data)
    with pytest.raises(ArchiveError, match=r"set\.zip"):
        unpack(tmp_path / "set.zip", tmp_path / "out")


def test_an_archive_of_nothing(tmp_path):
    with pytest.raises(ArchiveError, match="holds no files"):
        unpack(pack(tmp_path / "set.zip", {}), tmp_path / "out")


def test_progress_goes_from_start_to_end(tmp_path):
    noise = np.random.default_rng(0).bytes(3_000_000)
    told = []
    unpack(
        pack(tmp_path / "set.zip", {"a": noise, "b": noise[::-1]}), tmp_path / "out", progress=lambda *a: told.append(a)
    )
    assert told == [(3, 6), (6, 6)]


def test_which_files_are_archives(tmp_path):
    for name in ("a.zip", "b.TAR.GZ", "c.tgz", "d.tar.xz", "e.jpg", "._a.zip", "f.gz"):
        (tmp_path / name).touch()
    (tmp_path / "folder.zip").mkdir()
    assert [path.name for path in sorted(tmp_path.iterdir()) if is_archive(path)] == [
        "a.zip",
        "b.TAR.GZ",
        "c.tgz",
        "d.tar.xz",
    ]


def test_a_folder_is_read_as_it_is(tmp_path):
    pack(tmp_path / "set.zip", FILES)
    (tmp_path / "images").mkdir()
    assert open_root(tmp_path, tmp_path / "out") == tmp_path


def test_a_folder_of_archives_alone_is_unpacked(tmp_path):
    for name in ("p1.zip", "p2.tar.gz", ".DS_Store"):
        pack(tmp_path / "data" / name, FILES) if name[0] == "p" else (tmp_path / "data" / name).touch()
    out = tmp_path / "data" / "work" / "unpacked"
    assert open_root(tmp_path / "data", out) == out / "data"
    assert set(contents(out / "data")) == {f"{part}/{name}" for part in ("p1", "p2") for name in FILES}
    # One that is taken away is read no more, and what else lies there is let be.
    pack(tmp_path / "data" / "p3.zip", FILES)
    (out / "data" / "mine").mkdir()
    assert open_root(tmp_path / "data", out) == out / "data"
    (tmp_path / "data" / "p3.zip").unlink()
    assert open_root(tmp_path / "data", out) == out / "data"
    assert sorted(path.name for path in (out / "data").iterdir()) == ["mine", "p1", "p2"]
    pack(tmp_path / "data" / "p1.tar.xz", FILES)
    with pytest.raises(UsageError, match="several archives called p1"):
        open_root(tmp_path / "data", out)


def test_what_is_neither_folder_nor_archive(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(LayoutError, match=r"is a file; expected a folder, or an archive: \.zip, "):
        open_root(tmp_path / "notes.txt", tmp_path / "out")
    with pytest.raises(LayoutError, match="no such folder"):
        open_root(tmp_path / "none", tmp_path / "out")


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.xz"])
@pytest.mark.parametrize(
    ("source", "write"),
    [("competition", write_competition), ("medical-masks", write_medical_masks), ("mega-age-asian", write_mega_age)],
)
def test_a_source_read_from_its_archive_is_the_same(tmp_path, kind, source, write):
    folder = write(tmp_path / "folder")
    archive = pack_folder(tmp_path / f"set{kind}", folder)
    one, other = ingest(source, folder), ingest(source, open_root(archive, tmp_path / "out"))
    assert other.manifest.equals(one.manifest)
    assert other.refusals.equals(one.refusals)


def test_the_competitions_two_archives(tmp_path):
    write_competition(tmp_path / "folder")
    for part in ("train", "eval"):
        (tmp_path / "folder" / part).mkdir(exist_ok=True)
        (tmp_path / "folder" / part / "info.csv").write_text("ImageID,ans\n")
        (tmp_path / "data" / part).parent.mkdir(exist_ok=True)
        with tarfile.open(tmp_path / "data" / f"{part}.tar.gz", "w:gz") as tar:
            tar.add(tmp_path / "folder" / part, arcname=part)
    root = open_root(tmp_path / "data", tmp_path / "out")
    assert len(ingest("competition", root).manifest) == 7


def test_zip64_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive, archive.open("a.jpg", "w", force_zip64=True) as handle:
        handle.write(b"a")
    assert contents(unpack(tmp_path / "set.zip", tmp_path / "out")) == {"a.jpg": b"a"}

"""One folder of everything that can be wrong with a photo's file, through `palette mask`, one worker process."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.manifest import read_manifest, read_refusals
from datasets.portraits import Portrait
from tests.datasets.builders import flat_png
from tests.pipelines.mask_builders import Done, palette, results, save

ROTATED_LEFT = 6
"""EXIF orientation: the camera lay on its side; the picture is upright after a quarter turn clockwise."""

REFUSED = {
    "truncated.jpg": "truncated",
    "text.jpg": "not_an_image",
    "empty.jpg": "empty_file",
    "dot.png": "too_small",
    "huge.png": "too_large",
    "tiff.jpg": "not_a_photo_format",
    "sliver.png": "no_face",
    "no face.jpg": "no_face",
    "five.jpg": "several_faces",
    "outside.jpg": "outside_root",
    "dangling.jpg": "unreadable",
    "pipe.jpg": "unreadable",
    "back\\slash.jpg": "unsafe_name",
    "new\nline.jpg": "unsafe_name",
}
MASKED = (
    "gray.jpg",
    "gray16.png",
    "rgb16.png",
    "cmyk.jpg",
    "palette.png",
    "transparent.png",
    "rotated.jpg",
    "animated.jpg",
    "photo.webp",
    "photo.bmp",
    "twin.jpg",
    "twin.png",
    "UPPER.JPG",
    "a/b/c/deep.jpeg",
    "with spaces.jpg",
    'o\'brien "q" <b>.jpg',
    "한글 사진.jpg",
    "inside.jpg",
    f"{'long' * 60}.jpg",
)


def truncated(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()[: buffer.tell() // 2]


def write_broken(root: Path, face: Image.Image, others: list[Image.Image]) -> None:
    root.mkdir()
    (root / "truncated.jpg").write_bytes(truncated(face))
    (root / "text.jpg").write_text("I am no picture.")
    (root / "empty.jpg").touch()
    save(Image.new("RGB", (1, 1)), root / "dot.png")
    (root / "huge.png").write_bytes(flat_png(20000, 20000, with_pixels=False))
    save(face, root / "tiff.jpg", format="TIFF")
    save(Image.new("RGB", (3000, 16), "gray"), root / "sliver.png")
    save(Image.effect_noise((200, 200), 40).convert("RGB"), root / "no face.jpg")
    row = [face, *others, face, others[0]]
    save(np.hstack([np.asarray(image) for image in row]), root / "five.jpg", quality=93)
    save(face, root.parent / "elsewhere" / "precious.jpg")
    (root / "outside.jpg").symlink_to(root.parent / "elsewhere" / "precious.jpg")
    (root / "dangling.jpg").symlink_to(root / "none.jpg")
    os.mkfifo(root / "pipe.jpg")
    save(face, root / "back\\slash.jpg")
    save(face, root / "new\nline.jpg")


def write_unusual(root: Path, face: Image.Image, others: list[Image.Image]) -> None:
    gray = face.convert("L")
    save(gray, root / "gray.jpg", quality=93)
    save(Image.fromarray(np.asarray(gray).astype(np.uint16) * 257), root / "gray16.png")
    save_rgb16(np.asarray(face), root / "rgb16.png")
    save(face.convert("CMYK"), root / "cmyk.jpg", quality=95)
    save(face.quantize(200), root / "palette.png")
    clear = face.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(face.size).point(lambda level: 255 if level > 20 else 0))
    save(clear, root / "transparent.png")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = ROTATED_LEFT, "a camera"
    save(face.transpose(Image.Transpose.ROTATE_90), root / "rotated.jpg", exif=exif, quality=95)
    frames = [other.quantize(128) for other in others]
    save(face.quantize(200), root / "animated.jpg", format="GIF", save_all=True, append_images=frames)
    for name in MASKED:
        if not (root / name).exists() and name != "inside.jpg":
            save(face, root / name)
    (root / "inside.jpg").symlink_to(root / "photo.bmp")


def save_rgb16(rgb: np.ndarray, path: Path) -> None:
    """Pillow writes no 16-bit colour; OpenCV does."""
    import cv2

    assert cv2.imwrite(str(path), rgb[..., ::-1].astype(np.uint16) * 257)


@dataclass(frozen=True)
class Run:
    done: Done
    photos: Path
    out: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Portrait, ...]) -> Run:
    home = tmp_path_factory.mktemp("broken")
    face, *others = (Image.fromarray(portrait.rgb) for portrait in drawn)
    write_broken(home / "photos", face, others)
    write_unusual(home / "photos", face, others)
    (home / "photos" / "locked.jpg").write_bytes((home / "photos" / "photo.bmp").read_bytes())
    (home / "photos" / "locked.jpg").chmod(0)
    out = home / "out"
    done = palette("mask", home / "photos", out, "--wear", "correct,not_wear", "--types", "kf94", "--workers", 1)
    return Run(done, home / "photos", out)


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_a_broken_photo_is_refused_with_its_reason(run: Run, name: str, reason: str) -> None:
    refusals = read_refusals(run.out)
    shown = [row for row in refusals.itertuples() if row.reason == reason and same_name(row.photo_id, name)]
    assert len(shown) == 1, refusals
    assert shown[0].detail
    assert str(run.photos) not in shown[0].detail


def same_name(photo_id: str, name: str) -> bool:
    """Whether an id is of that name; what can't be shown is shown otherwise."""
    plain = photo_id.removeprefix("folder:")
    return plain == name or (not name.isprintable() and plain.startswith("new") and plain.endswith("line.jpg"))


@pytest.mark.parametrize("name", MASKED)
def test_an_unusual_photo_gets_its_variants(run: Run, name: str) -> None:
    made = read_manifest(run.out).query("parent_id == @photo", local_dict={"photo": f"folder:{name}"})
    assert sorted(made["mask"]) == ["not_wear", "wear"], read_refusals(run.out)
    for variant in made.itertuples():
        with Image.open(run.out / variant.path) as image:
            assert image.size == (240, 320)
            assert (image.format, image.mode) == ("JPEG", "RGB")
            assert dict(image.getexif()) == {}


def test_a_file_that_may_not_be_read_is_refused_unless_the_user_may_read_all(run: Run) -> None:
    made = read_manifest(run.out)["parent_id"] == "folder:locked.jpg"
    refused = read_refusals(run.out).query("photo_id == 'folder:locked.jpg'")["reason"].tolist()
    assert (int(made.sum()), refused) == ((2, []) if os.geteuid() == 0 else (0, ["unreadable"]))


def test_the_run_goes_on_past_all_of_them(run: Run) -> None:
    assert run.done.code == 0
    assert "Traceback" not in run.done.err
    refusals, made = read_refusals(run.out), read_manifest(run.out)
    locked = os.geteuid() != 0
    assert len(refusals) == len(REFUSED) + locked
    assert made["parent_id"].nunique() == len(MASKED) + (not locked)


def test_names_below_are_kept_and_twins_do_not_meet(run: Run) -> None:
    paths = set(read_manifest(run.out)["path"])
    assert {"twin.jpg__wear1.jpg", "twin.png__wear1.jpg", "a/b/c/deep__wear1.jpg", "UPPER__wear1.jpg"} <= paths
    assert {"한글 사진__wear1.jpg", 'o\'brien "q" <b>__wear1.jpg'} <= paths


def test_a_gray_photo_stays_gray(run: Run) -> None:
    for name in ("gray", "gray16"):
        with Image.open(run.out / f"{name}__wear1.jpg") as image:
            assert np.ptp(np.asarray(image).astype(int), axis=-1).max() <= 2


def test_the_first_frame_of_an_animation_is_used(run: Run) -> None:
    def bare(name: str) -> np.ndarray:
        with Image.open(run.out / f"{name}__not_wear1.jpg") as image:
            return np.asarray(image).astype(int)

    assert np.abs(bare("animated") - bare("photo.bmp")).mean() < 8
    assert np.abs(bare("rotated") - bare("photo.bmp")).mean() < 4


def test_what_a_link_leads_to_outside_is_not_opened(run: Run) -> None:
    assert not any("precious" in name or "outside" in name for name in results(run.out))


def test_the_summary_counts_what_the_tables_hold(run: Run) -> None:
    for reason in ("too_large", "several_faces", "outside_root", "unsafe_name"):
        assert reason in run.done.out

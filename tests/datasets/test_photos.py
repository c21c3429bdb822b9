from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.errors import PhotoError
from datasets.photos import MIN_SIDE, REASONS, read_photo
from tests.datasets.builders import as_nobody, encode, flat_png, open_folder, picture, save_photo


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def refusal(path: Path, **options: int) -> PhotoError:
    with pytest.raises(PhotoError) as caught:
        read_photo(path, **options)
    assert caught.value.reason in REASONS
    assert str(path.parent) not in caught.value.detail
    assert "\n" not in caught.value.detail
    return caught.value


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".webp", ".bmp"])
def test_reads_every_photo_format(tmp_path, suffix):
    photo = read_photo(save_photo(tmp_path / f"a{suffix}", seed=1))
    assert photo.rgb.shape == (64, 48, 3)
    assert photo.rgb.dtype == np.uint8
    assert (photo.width, photo.height, photo.scale) == (48, 64, 1.0)
    assert np.abs(photo.rgb.astype(int) - np.asarray(picture(1)).astype(int)).mean() < 12


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_reads_each_format_first_thing_in_a_process(tmp_path, suffix):
    path = save_photo(tmp_path / f"a{suffix}")
    code = "import sys, pathlib, datasets.photos as p; print(p.read_photo(pathlib.Path(sys.argv[1])).width)"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "48"


def test_content_decides_and_not_the_name(tmp_path):
    assert read_photo(write(tmp_path / "a.jpg", encode(picture(), "PNG"))).width == 48


def test_hashes_are_of_bytes_and_of_picture(tmp_path):
    one = read_photo(save_photo(tmp_path / "a.png", seed=1))
    same_picture = read_photo(write(tmp_path / "b.png", encode(picture(1), "PNG", compress_level=0)))
    other = read_photo(save_photo(tmp_path / "c.png", seed=2))
    assert one.sha256 != same_picture.sha256
    assert one.phash == same_picture.phash != other.phash
    assert len(one.sha256) == 64
    assert len(one.phash) == 16


def test_truncated_jpeg(tmp_path):
    data = encode(picture(size=(480, 640)))
    assert refusal(write(tmp_path / "half.jpg", data[: len(data) // 2])).reason == "truncated"
    assert refusal(write(tmp_path / "head.jpg", data[:30])).reason == "truncated"


def test_truncated_png(tmp_path):
    data = encode(picture(size=(480, 640)), "PNG")
    assert refusal(write(tmp_path / "half.png", data[: len(data) // 2])).reason == "truncated"


def test_truncated_is_seen_at_a_smaller_scale_too(tmp_path):
    data = encode(picture(size=(800, 800)))
    assert refusal(write(tmp_path / "half.jpg", data[: len(data) // 2]), max_side=64).reason == "truncated"


def test_text_called_jpg(tmp_path):
    assert refusal(write(tmp_path / "a.jpg", b"this is a shopping list\n" * 9)).reason == "not_an_image"


def test_empty_file(tmp_path):
    assert refusal(write(tmp_path / "a.jpg", b"")).reason == "empty_file"


def test_one_pixel(tmp_path):
    assert refusal(write(tmp_path / "a.png", encode(picture(size=(1, 1)), "PNG"))).reason == "too_small"


def test_smallest_photo(tmp_path):
    enough = write(tmp_path / "a.png", encode(picture(size=(MIN_SIDE, MIN_SIDE)), "PNG"))
    assert read_photo(enough).width == MIN_SIDE
    narrow = write(tmp_path / "b.png", encode(picture(size=(MIN_SIDE - 1, 500)), "PNG"))
    assert refusal(narrow).reason == "too_small"


def test_huge_png_is_refused_by_its_header(tmp_path):
    whole = flat_png(20_000, 20_000)
    assert len(whole) < 200_000
    assert refusal(write(tmp_path / "a.png", whole)).reason == "too_large"
    # Nothing to decode in this one: an attempt would end as `truncated`.
    assert refusal(write(tmp_path / "b.png", flat_png(20_000, 20_000, with_pixels=False))).reason == "too_large"


def test_max_pixels_is_a_limit_and_not_more(tmp_path):
    path = write(tmp_path / "a.png", flat_png(400, 300))
    assert read_photo(path, max_pixels=120_000).rgb.shape == (300, 400, 3)
    assert refusal(path, max_pixels=119_999).reason == "too_large"


def test_huge_canvas_of_a_small_gif(tmp_path):
    data = bytearray(encode(picture().quantize(), "GIF"))
    data[6:10] = b"\xff\xff\xff\xff"
    assert refusal(write(tmp_path / "a.jpg", bytes(data))).reason == "too_large"


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_gray(tmp_path, form):
    photo = read_photo(write(tmp_path / "a.jpg", encode(picture().convert("L"), form)))
    assert (photo.rgb[..., 0] == photo.rgb[..., 1]).all()
    assert (photo.rgb[..., 0] == photo.rgb[..., 2]).all()
    assert np.ptp(photo.rgb) > 50


def test_sixteen_bit_gray_is_scaled_and_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 48).reshape(64, 48).astype(np.uint16)
    photo = read_photo(write(tmp_path / "a.png", encode(Image.fromarray(ramp), "PNG")))
    assert np.abs(photo.rgb[..., 1] - ramp / 257).max() <= 0.5


def test_one_bit(tmp_path):
    photo = read_photo(write(tmp_path / "a.png", encode(picture().convert("1"), "PNG")))
    assert set(np.unique(photo.rgb)) == {0, 255}


def test_cmyk(tmp_path):
    photo = read_photo(write(tmp_path / "a.jpg", encode(Image.new("RGB", (64, 64), (200, 40, 90)).convert("CMYK"))))
    assert np.abs(photo.rgb[32, 32].astype(int) - (200, 40, 90)).max() < 8


def test_transparent_lies_on_white(tmp_path):
    layer = Image.new("RGBA", (64, 64), (10, 20, 30, 0))
    layer.paste((200, 0, 0, 255), (0, 0, 32, 64))
    photo = read_photo(write(tmp_path / "a.png", encode(layer, "PNG")))
    assert photo.rgb[5, 5].tolist() == [200, 0, 0]
    assert photo.rgb[5, 60].tolist() == [255, 255, 255]


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.new("P", (64, 64), 0)
    image.putpalette([0, 0, 0, 0, 200, 0])
    image.paste(1, (0, 0, 32, 64))
    photo = read_photo(write(tmp_path / "a.png", encode(image, "PNG", transparency=0)))
    assert photo.rgb[5, 5].tolist() == [0, 200, 0]
    assert photo.rgb[5, 60].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("max_side", [None, 60])
def test_exif_rotation(tmp_path, orientation, max_side):
    """A picture stored as a camera would, with the tag that says so, comes out as it was."""
    upright = Image.new("RGB", (120, 240), (0, 0, 255))
    upright.paste((255, 0, 0), (0, 0, 60, 80))
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if turn is None else upright.transpose(turn)
    photo = read_photo(write(tmp_path / "a.jpg", encode(stored, exif=exif, quality=95)), max_side=max_side)
    assert (photo.width, photo.height) == (120, 240)
    height, width = photo.rgb.shape[:2]
    assert height == 2 * width
    assert photo.scale == width / 120
    red = photo.rgb[..., 0] > 128
    assert red[: height // 4, : width // 3].all()
    assert not red[height // 2 :].any()
    assert not red[:, width * 2 // 3 :].any()


def test_damaged_exif_is_no_reason_to_refuse(tmp_path):
    data = encode(picture(), exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert read_photo(write(tmp_path / "a.jpg", data)).width == 48


def test_animated_gif_named_jpg_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (64, 48), colour).quantize() for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    photo = read_photo(write(tmp_path / "a.jpg", data))
    assert photo.rgb.shape == (48, 64, 3)
    assert (photo.rgb == (200, 0, 0)).all()


def test_animated_webp_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (64, 48), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    data = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert (read_photo(write(tmp_path / "a.webp", data)).rgb == (200, 0, 0)).all()


@pytest.mark.parametrize(
    "name", ["a b.jpg", 'it\'s "so".jpg', "마스크 사진.jpg", "e\u0301.jpg", "-rf.jpg", "a#b?c%20.jpg"]
)
def test_names_of_all_kinds(tmp_path, name):
    assert read_photo(save_photo(tmp_path / name)).width == 48


def test_other_picture_formats_are_named(tmp_path):
    tiff = refusal(write(tmp_path / "a.jpg", encode(picture(), "TIFF")))
    assert tiff.reason == "not_a_photo_format"
    assert "TIFF" in tiff.detail
    heic = refusal(write(tmp_path / "b.jpg", b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(99)))
    assert heic.reason == "not_a_photo_format"
    assert "HEIF" in heic.detail


def test_missing_file_and_folder(tmp_path):
    assert refusal(tmp_path / "none.jpg").reason == "unreadable"
    (tmp_path / "folder.jpg").mkdir()
    assert refusal(tmp_path / "folder.jpg").reason == "unreadable"


def test_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    assert refusal(tmp_path / "a.jpg").reason == "unreadable"


def test_unreadable_file():
    with open_folder() as folder:
        path = save_photo(folder / "a.jpg")
        path.chmod(0)
        with as_nobody():
            assert refusal(path).reason == "unreadable"


def test_bytes_of_noise_never_get_further_than_a_refusal(tmp_path):
    rng = np.random.default_rng(0)
    forms = [encode(picture(), form) for form in ("JPEG", "PNG", "WEBP", "BMP")] + [encode(picture().quantize(), "GIF")]
    outcomes = []
    for number in range(150):
        data = bytearray(forms[number % len(forms)])
        for place in rng.integers(0, len(data), 12):
            data[place] = rng.integers(0, 256)
        try:
            outcomes.append(read_photo(write(tmp_path / "a.jpg", bytes(data)), max_pixels=1_000_000).width)
        except PhotoError as error:
            outcomes.append(error.reason)
    assert {"truncated", 48} <= set(outcomes)
    assert {outcome for outcome in outcomes if isinstance(outcome, str)} <= set(REASONS)


def test_max_side_decodes_less_and_says_so(tmp_path):
    path = save_photo(tmp_path / "a.jpg", size=(800, 1600))
    whole, less = read_photo(path), read_photo(path, max_side=400)
    assert less.rgb.shape == (400, 200, 3)
    assert less.scale == 0.25
    assert (less.width, less.height, less.sha256) == (whole.width, whole.height, whole.sha256)


@pytest.mark.parametrize("size", [(1000, 700), (700, 1000), (999, 1333), (64, 48), (2047, 1535)])
@pytest.mark.parametrize("max_side", [1, 100, 256, 512, 5000])
def test_max_side_never_falls_short(tmp_path, size, max_side):
    photo = read_photo(save_photo(tmp_path / "a.jpg", size=size), max_side=max_side)
    longest = max(photo.rgb.shape)
    assert longest >= min(max_side, max(size))
    # Half of it would fall short, unless that is more than a JPEG's decoder can leave out.
    assert longest / 2 <= max(max_side, max(size) / 8) or max_side >= max(size)
    assert (photo.width, photo.height) == size


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(PhotoError("truncated", "half of it")))
    assert (error.reason, error.detail, str(error)) == ("truncated", "half of it", "truncated: half of it")

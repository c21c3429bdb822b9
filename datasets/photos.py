"""The one place that opens image files. Any of them may be broken or hostile."""

from __future__ import annotations

import hashlib
import io
import stat
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.errors import PhotoError
from datasets.finding import PHOTO_SUFFIXES, PhotoFile, find_photos

__all__ = ["MAX_BYTES", "MIN_SIDE", "PHOTO_SUFFIXES", "REASONS", "Photo", "PhotoFile", "find_photos", "read_photo"]

MIN_SIDE: Final = 16
"""Pixels; no face is found in less."""
MAX_BYTES: Final = 512 * 1024**2
"""A photo's file may be no longer: one of 100 megapixels is shorter even without compression."""
REASONS: Final = (
    "unreadable",
    "empty_file",
    "not_an_image",
    "not_a_photo_format",
    "truncated",
    "too_large",
    "too_small",
)

# Without MPO, which Pillow opens as JPEG: naming it would fail on every file that is no JPEG.
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_OTHER_FORMATS: Final = ("TIFF", "JPEG2000", "AVIF", "PSD", "ICO", "ICNS", "PPM", "TGA")
_SIGNATURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"BM", b"GIF8")
_ORIENTATION: Final = 0x0112  # the EXIF tag; values 2..8 as in the EXIF 2.3 specification, 4.6.4 A
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Sizes are checked below against `max_pixels`, before any pixel is decoded; Pillow's own limit would warn at another.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True)
class Photo:
    """A decoded photo, upright.

    Attributes:
        rgb: Pixels, (H, W, 3) uint8 RGB; of a JPEG read with `max_side`, possibly fewer than the file holds.
        sha256: Of the file's bytes, 64 hex digits.
        width: Of the upright picture at full size, pixels.
        height: Of the upright picture at full size, pixels.
        scale: Decoded by full width; 1.0 where all pixels were decoded.
    """

    rgb: NDArray[np.uint8]
    sha256: str
    width: int
    height: int
    scale: float

    @cached_property
    def phash(self) -> str:
        """Perceptual hash of the decoded picture, 16 hex digits (`imagehash.phash`); worked out when first asked for.

        A picture decoded at a smaller scale may differ from the full one by a few bits of 64.
        """
        return str(imagehash.phash(Image.fromarray(self.rgb)))


def read_photo(path: Path, *, max_pixels: int = 100_000_000, max_side: int | None = None) -> Photo:
    """Reads one photo, whatever state its file is in.

    The first frame of an animation; upright after EXIF; gray, 16-bit, palette and CMYK pictures as RGB; transparent
    ones on white.

    Args:
        path: The file. Its content, not its name, says what format it is.
        max_pixels: Pictures with more pixels are refused before they are decoded.
        max_side: No more pixels than this longer side needs have to be decoded: a JPEG is decoded at 1/2, 1/4 or 1/8
            of its size where its longer side stays at least `max_side`, and isn't resized further.

    Returns:
        The photo.

    Raises:
        PhotoError: With the reason, one of REASONS.
    """
    data = _read_bytes(path)
    sha256 = hashlib.sha256(data).hexdigest()
    # Pillow warns of damaged EXIF and the like: what matters of that is a refusal, the rest is noise.
    with warnings.catch_warnings(action="ignore"), _open(data) as image:
        full = image.size
        _check_size(full, max_pixels)
        turn = _UPRIGHT.get(_orientation(image))
        if max_side is not None:
            longest = max(full)
            image.draft(None, (max(full[0] * max_side // longest, 1), max(full[1] * max_side // longest, 1)))
        rgb = _decode(image, turn)
    turned = turn in (_UPRIGHT[5], _UPRIGHT[6], _UPRIGHT[7], _UPRIGHT[8])
    width, height = (full[1], full[0]) if turned else full
    return Photo(rgb=rgb, sha256=sha256, width=width, height=height, scale=rgb.shape[1] / width)


def _read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        # A pipe would block for ever, a device never end.
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError("unreadable", "not a regular file")
        if status.st_size > MAX_BYTES:
            raise PhotoError("too_large", f"{status.st_size:,} bytes; a photo has at most {MAX_BYTES:,}")
        data = path.read_bytes()
    except OSError as error:
        raise PhotoError("unreadable", error.strerror or type(error).__name__) from error
    if not data:
        raise PhotoError("empty_file", "the file has 0 bytes")
    return data


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except Exception as error:  # Pillow's parsers raise a dozen kinds on hostile headers
        if data.startswith(_SIGNATURES):
            raise PhotoError("truncated", "the file ends or is damaged before its picture begins") from error
        other = _other_format(data)
        if other is not None:
            raise PhotoError("not_a_photo_format", f"a {other} file; expected JPEG, PNG, WebP or BMP") from error
        raise PhotoError("not_an_image", "the file's content is no picture, whatever its name says") from error


def _other_format(data: bytes) -> str | None:
    if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"heim"):
        return "HEIF"
    try:
        with Image.open(io.BytesIO(data), formats=_OTHER_FORMATS) as image:
            return image.format
    except Exception:
        return None


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PhotoError("too_large", f"{width}x{height} pixels; at most {max_pixels:,} are decoded")
    if min(width, height) < MIN_SIDE:
        raise PhotoError("too_small", f"{width}x{height} pixels; at least {MIN_SIDE} a side are needed")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing of the picture
        return 1


def _decode(image: Image.Image, turn: Image.Transpose | None) -> NDArray[np.uint8]:
    try:
        image.load()
        upright = image if turn is None else image.transpose(turn)
        return _to_rgb(upright)
    except MemoryError as error:
        raise PhotoError("too_large", f"{image.size[0]}x{image.size[1]} pixels: not enough memory") from error
    except Exception as error:  # Pillow's decoders raise a dozen kinds on damaged data
        raise PhotoError("truncated", f"the picture's data ends early or is damaged: {error}") from error


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Converts any mode to (H, W, 3) uint8 RGB."""
    if image.mode.startswith("I"):  # 16-bit gray; Pillow's own conversion clips instead of scaling
        gray = np.clip((np.asarray(image, dtype=np.float32) / 257.0).round(), 0, 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, layer).convert("RGB"))
    return np.array(image.convert("RGB"))

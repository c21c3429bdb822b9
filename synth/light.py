"""Light: what the face tells of the light it stands in.

All sums are in linear light (sRGB's transfer curve undone, IEC 61966-2-1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from synth.arrays import BoolArray, FloatArray, RgbImage
from synth.pose import Pose
from synth.quality import jpeg_quality, sharpness
from synth.surface import Outline, Sheet, sheet
from synth.warp import HeadToPicture, Region

LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
"""Luminance weights of linear sRGB (ITU-R BT.709)."""

_TO_LINEAR = np.where(
    np.arange(256) / 255 <= 0.04045, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
).astype(np.float32)

ONE_COLOUR, TONE_PIXELS = 2.5, 3000
"""Spread of chroma that lightness doesn't explain, below which a face has no colours: made sepia, 127 web photos stay
below 0.9 (2.0 for nine in ten after a JPEG of quality 70); the palest of them in colour has 2.9. So many pixels are
looked at."""

HAZE = 0.012
"""Most that a photo's black level can be lifted, linear: a scene of light things alone has no black to read it from."""

WHITE, FOLLOWS = 0.96, 0.18
"""A white sheet's linear value beside skin of linear value s is WHITE * s ** FOLLOWS. Set so that white masks are as
bright, beside the foreheads above them, as really worn ones: 0.67 s ** 0.18, the fit to 23 of those (linear value of
the mask 0.47 in the median, and hardly less on dark skin than on light)."""

DIM = 0.42
"""A photo whose bright parts (97th percentile of luminance) lie below this linear value is a dim one, and the white of
a mask in it is as much dimmer."""

WHITEST = 1.5
"""Most that a white sheet's linear value can be in an overexposed photo, in which 1 is where pixels end."""

SKIN = np.array([1.63, 0.81, 0.56], dtype=np.float32)
"""Colour of skin in the light of most photos, linear RGB, mean 1: the median forehead of 127 web portraits."""

OVERHEAD = np.array([0.0, -0.14, 0.22])
"""Real light is softer than one direction: a lamp from above and from the camera's side is always in it."""

MEAN_NORMAL = 0.75
"""z of a usual mask's normals, on average."""

FACE = Outline(top=0.05, bottom=1.22, top_side=0.22, bottom_side=0.85, top_half=0.7, bottom_half=0.5, standoff=0.0)
"""The part of the face whose brightness is read: from under the eyes to the chin."""

FACE_ROWS, FACE_COLUMNS = 15, 19

MARKED_FROM = 0.5
"""A photo shrunk to less than this has lost the marks of its JPEG: of a block not four pixels are left."""

UNEVEN, EVEN = 0.85, 0.3
"""Shares of a face's pattern of brightness that is light: what differs from left to right mostly is, what is alike on
both sides may as well be lips and beard."""

PATTERN_CELLS = 20


def to_linear(rgb: RgbImage) -> FloatArray:
    """(..., 3) uint8 sRGB to float32 linear RGB in 0..1."""
    if np.ndim(rgb) == 3:
        return np.asarray(cv2.LUT(rgb, _TO_LINEAR))
    return np.asarray(_TO_LINEAR[rgb])


_STEPS = 65535
_SHARES = np.minimum((np.arange(_STEPS + 1) + 0.5) / _STEPS, 1.0)
"""In the middle of each step: what is looked up is cut off, not rounded."""

_FROM_LINEAR = np.where(
    _SHARES <= 0.0031308, 255 * 12.92 * _SHARES, 255 * (1.055 * _SHARES ** (1 / 2.4) - 0.055)
).astype(np.float32)

_LEVELS = np.rint(_FROM_LINEAR).astype(np.uint8)


def to_srgb(linear: FloatArray) -> FloatArray:
    """(..., 3) linear RGB to float32 sRGB in 0..255, not rounded; by a table, exact to 0.03 levels."""
    return np.asarray(cv2.LUT(_steps(linear), _FROM_LINEAR)).reshape(linear.shape)


def to_levels(linear: FloatArray) -> RgbImage:
    """(..., 3) linear RGB, 0 and more, to uint8 sRGB."""
    return np.asarray(cv2.LUT(_steps(linear), _LEVELS)).reshape(linear.shape)


def _steps(linear: FloatArray) -> NDArray[np.uint16]:
    """(1, N) of the tables' steps."""
    flat = np.ascontiguousarray(linear, dtype=np.float32).reshape(1, -1)
    steps = flat * np.float32(_STEPS)
    return np.asarray(steps.clip(0, _STEPS, out=steps).astype(np.uint16))


@dataclass(frozen=True, eq=False)
class Pattern:
    """How light falls unevenly on a face, beyond what its shape explains: shadows that lie across it.

    Attributes:
        gain: (n, n) float32 around 1, over a square of the photo.
        corner: (2,) x, y in pixels of its first cell's centre.
        step: between its cells, in pixels.
    """

    gain: FloatArray
    corner: FloatArray
    step: float

    def __call__(self, points: FloatArray) -> FloatArray:
        """(...,) float32 gain at (..., 2) pixels x, y; outside the square as at its border."""
        at = ((points - self.corner) / self.step).astype(np.float32).reshape(-1, 1, 2)
        found = cv2.remap(self.gain, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found.reshape(points.shape[:-1]))


@dataclass(frozen=True, eq=False)
class Light:
    """The light on one face, and what the camera made of it.

    Attributes:
        ambient: share of the light that comes from everywhere.
        direction: (3,) camera coordinates; brightness of a surface is ambient + direction . normal, 1 on average.
        exposure: linear value that a white sheet in this light has in the photo.
        tint: (3,) colour of the light, mean 1.
        black: linear value of the photo's deepest shadows.
        blur: Gaussian sigma of the photo's edges, in pixels; 0 draws edges as sharp as pixels are.
        grain: standard deviation of its noise, in sRGB levels (0..255).
        tone: (3,) the one colour, mean 1, of a grayscale or sepia photo; None in a photo with colours.
        pattern: how unevenly it falls on the face; None for evenly.
        jpeg_quality: of the file the photo comes from, where its blocks are seen.
        zoom: how many times the photo was enlarged since it was opened.
        contact: strength of contact shadows, of hollows' darkness and of sheen, 0 (none) to 1.
    """

    ambient: float
    direction: FloatArray
    exposure: float
    tint: FloatArray
    black: float
    blur: float
    grain: float
    tone: FloatArray | None
    pattern: Pattern | None = None
    jpeg_quality: int | None = None
    zoom: float = 1.0
    contact: float = 1.0

    @classmethod
    def flat(cls, exposure: float = 1.0) -> Light:
        """Light that says nothing: no direction, tint, shadow, blur or grain, as if a mask were pasted on.

        Args:
            exposure: linear value of a white sheet.
        """
        return cls(1.0, np.zeros(3), exposure, np.ones(3, np.float32), 0.0, 0.0, 0.0, None, contact=0.0)

    def exposed(self, factor: float) -> Light:
        """The same light with an exposure so many times as high."""
        # What `dataclasses.replace` does, at a tenth of its cost.
        made = object.__new__(Light)
        made.__dict__.update(self.__dict__, exposure=self.exposure * factor)
        return made

    def shade(self, normals: FloatArray) -> FloatArray:
        """(...,) brightness of surfaces with these (..., 3) camera-coordinate normals; at least a fifth of average."""
        return np.asarray(np.maximum(self.ambient + normals @ self.direction, 0.2))


def read_light(
    rgb: RgbImage, pose: Pose, to_picture: HeadToPicture, source: RgbImage | None = None, zoom: float = 1.0
) -> Light:
    """Reads the light off a face.

    Args:
        rgb: (H, W, 3) uint8, RGB.
        pose: of the head.
        to_picture: head coordinates to its pixels.
        source: (H, W, 3) uint8, RGB, the photo as it was opened, where `rgb` is a resized piece of it.
        zoom: how many times it was enlarged.
    """
    skin = _face()
    placed = to_picture(skin.points)
    seen = to_picture.facing(skin.points, skin.normals) > 0.25
    inside = (placed >= 0).all(-1) & (placed < [rgb.shape[1] - 1, rgb.shape[0] - 1]).all(-1) & seen
    region = Region.around(placed, 0.1 * pose.pixels_per_unit, rgb.shape)
    face = rgb[region.slices]
    if inside.sum() < 12 or min(face.shape[:2]) < 4:
        inside, face, region = np.ones_like(inside), rgb, Region(0, 0, rgb.shape[1], rgb.shape[0])
    samples = _samples(face, placed - [region.x0, region.y0], pose.pixels_per_unit)
    luminance, normals = samples @ LUMA, skin.normals @ pose.rotation.T
    ambient, direction = _fit_shading(luminance[inside], normals[inside])
    pattern = _pattern(luminance / np.maximum(ambient + normals @ direction, 0.2), inside, placed)
    exposure, tint, black = _exposure(rgb, samples[inside])
    blur, grain = sharpness(face, pose.pixels_per_unit)
    direction = _limited(direction + OVERHEAD, 0.75)
    return Light(
        1.0 - MEAN_NORMAL * float(direction[2]),
        direction,
        exposure,
        tint,
        black,
        blur,
        grain,
        _tone(face, samples[inside]),
        pattern,
        jpeg_quality(rgb if source is None else source) if zoom >= MARKED_FROM else None,
        1.0 if source is None else zoom,
    )


@lru_cache(maxsize=1)
def _face() -> Sheet:
    return sheet(FACE, rows=FACE_ROWS, columns=FACE_COLUMNS)


def _samples(face: RgbImage, points: FloatArray, unit: float) -> FloatArray:
    """(..., 3) linear colours of a face at (..., 2) pixels x, y, smoothed over pores and highlights."""
    # Half a head unit is 32 cells at most: a smoothed picture needs no more.
    shrink = max(unit / 64.0, 1.0)
    size = max(round(face.shape[1] / shrink), 2), max(round(face.shape[0] / shrink), 2)
    small = cv2.resize(to_linear(face), size, interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(small, (0, 0), max(0.06 * unit / shrink, 0.5))
    scale = np.array(size) / [face.shape[1], face.shape[0]]
    at = ((points + 0.5) * scale - 0.5).astype(np.float32).reshape(-1, 1, 2)
    found = cv2.remap(smooth, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found.reshape(*points.shape[:-1], 3))


def _tone(face: RgbImage, skin: FloatArray) -> FloatArray | None:
    """The one colour of a photo without colours: its face's chroma (CIE Lab, 8 bit) follows from its lightness."""
    pixels = face.reshape(-1, 3)
    some = np.ascontiguousarray(pixels[None, :: max(len(pixels) // TONE_PIXELS, 1)])
    lab = cv2.cvtColor(some, cv2.COLOR_RGB2Lab)[0].astype(np.float32)
    lightness = lab[:, 0] / 255 - 0.5
    system = np.stack([np.ones_like(lightness), lightness, lightness**2], axis=1)
    fitted = np.linalg.solve(system.T @ system + 1e-3 * np.eye(3), system.T @ lab[:, 1:])
    if float(np.hypot(*(lab[:, 1:] - system @ fitted).std(0))) > ONE_COLOUR:
        return None
    mean = skin.mean(0)
    return np.asarray(mean / max(float(mean.mean()), 1e-4), dtype=np.float32)


def _fit_shading(luminance: FloatArray, normals: FloatArray) -> tuple[float, FloatArray]:
    """Brightness = ambient + direction . normal, by least squares reweighted against beards and highlights."""
    bright = luminance / max(float(np.median(luminance)), 1e-4)
    system = np.concatenate([np.ones((len(normals), 1)), normals], axis=1)
    weight, ridge = np.ones(len(bright)), np.diag([1e-3, 0.06, 0.06, 0.3]) * len(bright)
    fitted = np.zeros(4)
    for _ in range(3):
        weighted = system * weight[:, None]
        fitted = np.linalg.solve(weighted.T @ system + ridge, weighted.T @ bright)
        weight = 1 / np.maximum(np.abs(bright - system @ fitted) / 0.15, 1.0)
    direction = _limited(fitted[1:], 0.7)
    # Seen from the front the average surface shall be of brightness one.
    return 1.0 - MEAN_NORMAL * float(direction[2]), direction


def _limited(direction: FloatArray, most: float) -> FloatArray:
    strength = float(np.linalg.norm(direction))
    return np.asarray(direction * min(most / max(strength, 1e-6), 1.0))


def _pattern(flattened: FloatArray, inside: BoolArray, placed: FloatArray) -> Pattern | None:
    """What is left of a face's brightness when its shape's shading is taken away, as far as it is light.

    Args:
        flattened: (R, C) luminance over what the shape explains; columns mirror each other on the face.
        inside: (R, C) where that is known.
        placed: (R, C, 2) pixels.
    """
    typical = float(np.median(flattened[inside]))
    if typical < 1e-4:
        return None
    level = np.log(np.clip(flattened / typical, 0.15, 4.0))
    level = np.where(inside, level, 0.0)
    twin, known = level[:, ::-1], inside & inside[:, ::-1]
    uneven = np.where(known, 0.5 * (level - twin), 0.5 * level)
    gain = UNEVEN * uneven + EVEN * (level - uneven)
    low, high = placed[inside].min(0), placed[inside].max(0)
    side = float((high - low).max()) * 1.3
    corner, step = 0.5 * (low + high) - 0.5 * side, side / (PATTERN_CELLS - 1)
    axis = np.arange(PATTERN_CELLS) * step
    reach = 0.06 * side
    # A weighted mean separates into rows and columns, as Gaussians do.
    points, values = placed[inside], gain[inside]
    near_x = np.exp(-0.5 * ((corner[0] + axis)[:, None] - points[:, 0]) ** 2 / reach**2)
    near_y = np.exp(-0.5 * ((corner[1] + axis)[:, None] - points[:, 1]) ** 2 / reach**2)
    weight = near_y @ near_x.T
    mean = (near_y * values) @ near_x.T / (weight + 0.3)
    return Pattern(np.exp(np.clip(mean, -1.6, 0.5)).astype(np.float32), corner, step)


def _exposure(rgb: RgbImage, skin: FloatArray) -> tuple[float, FloatArray, float]:
    """White level, tint and black level from the skin and from the brightest and darkest parts of the photo."""
    step = max(min(rgb.shape[:2]) // 64, 1)
    scene = to_linear(rgb[::step, ::step].reshape(-1, 3))
    luminance = scene @ LUMA
    rising = np.sort(luminance)
    darkest, pale_from, bright = (rising[round(share * (len(luminance) - 1))] for share in (0.005, 0.85, 0.97))
    skin_light = max(float(np.percentile(skin @ LUMA, 60)), 1e-4)
    dim = min(max(float(bright), 1.4 * skin_light) / DIM, 1.0)
    # Where skin is burnt out, white would be brighter than white: other colours show how much.
    white = float(np.clip(dim * WHITE * (skin_light / dim) ** FOLLOWS, 1.4 * skin_light, WHITEST))
    # Of the brightest things only the palest: a yellow shirt says nothing of the light.
    red, green, blue = scene[:, 0], scene[:, 1], scene[:, 2]
    most, least = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    pale = most < np.minimum(1.7 * least + 0.02, 0.98)
    top = scene[(luminance >= pale_from) & pale]
    patch = np.maximum(top.mean(0), 1e-4) if len(top) >= 8 else np.ones(3, np.float32)
    warmth = np.maximum(skin.mean(0), 1e-4)
    # Neither the brightest things nor the skin are surely neutral: each is believed in part.
    mixed = (patch / patch.mean()) ** 0.3 * (warmth / warmth.mean() / SKIN) ** 0.15
    tint = np.clip(mixed / mixed.mean(), 0.75, 1.25)
    black = min(float(darkest), HAZE)
    return max(white, 0.004), np.asarray(tint / tint.mean(), dtype=np.float32), black

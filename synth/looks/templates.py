"""Templates: a user's own masks, each a PNG with control points, as mask types beside the built-in ones.

A template is two files of one name in a folder: `name.png`, an 8-bit RGBA picture of the mask seen from the front, and
`name.toml`:

    points = [[12, 40], [200, 8], [388, 40], [350, 260], [200, 300], [50, 260]]
    name = "checked"            # of the mask type; the file's name when not given
    attach = "ears"             # or head, none: without loops it is never worn hanging from one ear
    strap = [92, 0, 2]          # CIE Lab of the loops
    [cut]                       # any of synth.wear.Cut, in units of the distance between the outer eye corners
    top_half = 0.77

`points` are x, y in the PNG's pixels: top left, top middle, top right, bottom right, bottom middle, bottom left.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from synth.arrays import FloatArray
from synth.errors import SynthUsageError
from synth.forms import list_forms
from synth.looks.canvas import Canvas
from synth.looks.registry import Lab, Look, MaskType, Shade, add_type, list_mask_types, mask_type, set_own_types
from synth.looks.strokes import gather
from synth.loops import ENDS
from synth.wear import Cut

USUAL_CUT = Cut(top_half=0.77, bottom_half=0.63, top_side=0.40, bottom_side=0.84, standoff=0.05, peak=1.25, belly=2.2)
KEYS = ("points", "name", "attach", "strap", "cut")
LARGEST_SIDE = 4096
"""Pixels; a PNG says its size before it is decoded, and a larger one is no mask but a fault."""


@dataclass(frozen=True, eq=False)
class Template:
    """A template as read.

    Attributes:
        name, cut, attach, strap: as of the mask type it becomes.
        picture: (H, W, 4) float32, linear RGB times opacity, and opacity.
        points: (6, 2) pixels x, y: top left, middle, right, bottom right, middle, left.
    """

    name: str
    cut: Cut
    attach: str
    strap: Lab
    picture: FloatArray
    points: FloatArray


def load_templates(folder: Path | str) -> list[str]:
    """Registers every template of a folder as a mask type of its own.

    Args:
        folder: of `name.png` and `name.toml` pairs; folders in it are not looked into.

    Returns:
        The names of their mask types, in alphabetical order.

    Raises:
        SynthUsageError: no such folder, no template in it, or a template with a fault, which the message names.
    """
    kinds = _read_all(Path(folder))
    for kind in kinds:
        add_type(kind)
    return sorted(kind.name for kind in kinds)


def use_templates(folder: Path | None, digest: str) -> None:
    """Makes a folder's templates, or none, the only mask types beside the built-in ones.

    A run's variants must not depend on what else its process has registered. Cheap when called again: each worker
    process reads a folder of this digest once.
    """
    set_own_types(_read_once(str(folder), digest) if folder is not None else ())


def templates_digest(folder: Path | str) -> str:
    """Sixteen hex digits over the content of a folder's templates, for the recipe: other files, other variants.

    Raises:
        SynthUsageError: no such folder, or no template in it.
    """
    digest = hashlib.sha256()
    for path in _descriptions(Path(folder)):
        for part in (path, path.with_suffix(".png")):
            digest.update(part.name.encode() + b"\0" + hashlib.sha256(_bytes(part)).digest())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=4)
def _read_once(folder: str, digest: str) -> tuple[MaskType, ...]:
    kinds = _read_all(Path(folder))
    if templates_digest(folder) != digest:
        raise SynthUsageError(f"the templates in {folder} were changed during the run: run again")
    return kinds


def _read_all(folder: Path) -> tuple[MaskType, ...]:
    read = [_read(path) for path in _descriptions(folder)]
    names = [template.name for template in read]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SynthUsageError(f"two templates in {folder} are named {twice[0]}: give each a name of its own")
    return tuple(_as_type(template) for template in read)


def _descriptions(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SynthUsageError(f"no folder of templates at {folder}")
    stems = {path.stem for path in folder.iterdir() if path.suffix in (".png", ".toml") and path.is_file()}
    if not stems:
        raise SynthUsageError(f"no templates in {folder}: expected name.png and name.toml pairs")
    return [folder / f"{stem}.toml" for stem in sorted(stems)]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SynthUsageError(f"the template {path.stem} has no {path.name}: expected it beside the other") from error
    except OSError as error:
        raise SynthUsageError(f"the template file {path} can't be read: {error.strerror or error}") from error


def _read(path: Path) -> Template:
    picture = _picture(path.with_suffix(".png"))
    try:
        table = tomllib.loads(_bytes(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SynthUsageError(f"the template {path} is no TOML: {error}") from error
    unknown = set(table) - set(KEYS)
    if unknown:
        told = ", ".join(sorted(unknown))
        raise SynthUsageError(f"the template {path} has unknown keys {told}: use {', '.join(KEYS)}")
    name = table.get("name", path.stem)
    if not isinstance(name, str) or not name.strip() or "," in name:
        raise SynthUsageError(f"the template {path}: name is a word without commas, got {name!r}")
    if name in list_mask_types() and mask_type(name).built_in:
        raise SynthUsageError(f"the template {path} is named {name} like a built-in mask type: choose another name")
    attach, strap = table.get("attach", "ears"), table.get("strap", (92, 0, 2))
    if attach not in ENDS:
        raise SynthUsageError(f"the template {path}: attach is one of {', '.join(ENDS)}, got {attach!r}")
    if not _numbers(strap, 3) or not 0 <= strap[0] <= 100:
        raise SynthUsageError(f"the template {path}: strap is a colour in CIE Lab such as [92, 0, 2], got {strap!r}")
    lab = (float(strap[0]), float(strap[1]), float(strap[2]))
    return Template(name, _cut(path, table.get("cut", {})), attach, lab, picture, _points(path, table, picture.shape))


def _picture(path: Path) -> FloatArray:
    """(H, W, 4) float32, linear RGB times opacity, and opacity."""
    raw = _bytes(path)
    if raw[:8] != b"\x89PNG\r\n\x1a\n":
        raise SynthUsageError(f"{path} is no PNG")
    sides = int.from_bytes(raw[16:20], "big"), int.from_bytes(raw[20:24], "big")
    if max(sides) > LARGEST_SIDE:
        raise SynthUsageError(f"{path} is {sides[0]}x{sides[1]}: expected sides of at most {LARGEST_SIDE} pixels")
    decoded = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None:
        raise SynthUsageError(f"{path} can't be decoded: expected an 8-bit RGBA PNG")
    if decoded.ndim != 3 or decoded.shape[2] != 4 or decoded.dtype != np.uint8:
        raise SynthUsageError(f"{path} has no alpha, or more than 8 bits: expected an 8-bit RGBA PNG")
    share = decoded.astype(np.float32) / 255
    colour, alpha = share[..., 2::-1], share[..., 3:]
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return np.concatenate([linear * alpha, alpha], axis=2).astype(np.float32)


def _points(path: Path, table: dict[str, Any], shape: tuple[int, ...]) -> FloatArray:
    given = table.get("points")
    if not isinstance(given, list) or len(given) != 6 or not all(_numbers(point, 2) for point in given):
        raise SynthUsageError(
            f"the template {path} needs points: six of [x, y], top left, top middle, top right, bottom right, "
            "bottom middle, bottom left"
        )
    points = np.array(given, dtype=np.float64)
    if (points < 0).any() or (points > [shape[1], shape[0]]).any():
        raise SynthUsageError(f"the template {path}: a point lies outside the PNG's {shape[1]}x{shape[0]} pixels")
    area = float(cv2.contourArea(points.astype(np.float32), True))
    if area < 64:
        raise SynthUsageError(
            f"the template {path}: its points enclose nothing clockwise; expected top left, top middle, top right, "
            "bottom right, bottom middle, bottom left"
        )
    return points


def _numbers(value: object, count: int) -> bool:
    if not isinstance(value, list | tuple) or len(value) != count:
        return False
    return all(isinstance(x, int | float) and not isinstance(x, bool) and np.isfinite(x) for x in value)


def _cut(path: Path, table: object) -> Cut:
    known = [field.name for field in fields(Cut)]
    if not isinstance(table, dict) or set(table) - set(known):
        raise SynthUsageError(f"the template {path}: [cut] is a table of any of {', '.join(known)}")
    for key, value in table.items():
        if key == "form":
            if value not in list_forms():
                raise SynthUsageError(f"the template {path}: form is one of {', '.join(list_forms())}, got {value!r}")
        elif not _numbers([value], 1) or not 0 <= value <= 4:
            raise SynthUsageError(f"the template {path}: cut.{key} is a number from 0 to 4, got {value!r}")
    return replace(USUAL_CUT, **table)


def _as_type(template: Template) -> MaskType:
    def draw(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
        _lay(canvas, template)
        gather(canvas, rng.uniform(0.0, 0.5), rng)

    return MaskType(
        template.name,
        template.cut,
        (Shade((75.0, 0.0, 0.0)),),
        ("",),
        loop_width=0.03,
        gloss=0.0,
        draw=draw,
        attach=template.attach,
        strap=template.strap,
        built_in=False,
        # What has no loops hangs from no ear.
        unsuited=() if template.attach == "ears" else ("hanging",),
    )


def _lay(canvas: Canvas, template: Template) -> None:
    """Brings the PNG's quadrangle with its bowed upper and lower edge onto the canvas."""
    picture, points = template.picture, template.points
    columns = canvas.alpha.shape[1]
    wide = float(np.linalg.norm(np.diff(points[:3], axis=0), axis=1).sum())
    # Brought near the canvas's size first, each pixel a mean of what it covers: sampling alone would drop fine prints.
    scale = min(columns / max(wide, 1.0), 1.0)
    if scale < 0.75:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = np.array([picture.shape[1] / template.picture.shape[1], picture.shape[0] / template.picture.shape[0]])
    placed = points * size - 0.5
    upper, lower = _bow(placed[:3], canvas.column[0]), _bow(placed[:2:-1], canvas.column[0])
    at = upper[None] + (lower - upper)[None] * canvas.row[..., None]
    layer = cv2.remap(
        np.ascontiguousarray(picture),
        at.astype(np.float32),
        None,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0, 0),
    )
    canvas.alpha[...] = layer[..., 3]
    canvas.albedo[...] = layer[..., :3] / np.maximum(layer[..., 3:], 1e-3)


def _bow(ends: FloatArray, t: FloatArray) -> FloatArray:
    """(N, 2): the parabola through a left, a middle and a right point, the middle one reached at t = 0.5."""
    first, middle, last = ends
    s = t[:, None].astype(np.float64)
    return np.asarray(
        first * (2 * s - 1) * (s - 1) + middle * 4 * s * (1 - s) + last * s * (2 * s - 1), dtype=np.float64
    )

"""Hair: a shell of strands round the skull, with a hairline in front and, where it is long, a curtain at the sides."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from datasets.portraits.camera import Floats
from datasets.portraits.head import Sections, curve, head_sections, outward, proportion
from datasets.portraits.light import Light
from datasets.portraits.person import Person, Traits
from datasets.portraits.sheet import noise, smoothstep
from datasets.portraits.surface import Cloth

REACH = 150.0  # degrees round the head
GREY = np.array([0.40, 0.395, 0.385], np.float32)


@dataclass(frozen=True)
class Style:
    """A haircut.

    Attributes:
        hairline: (degrees from the front, y) knots of the lower edge.
        rag: how far single locks leave that edge, pupil distances.
        soft: softness of the edge.
        top, side: thickness over the skull.
        end: y where long hair ends, or None.
        sweep: turn of the strands, degrees per pupil distance of height.
        curl: 0 (straight) to 1 (permed).
    """

    hairline: tuple[tuple[float, float], ...]
    rag: float
    soft: float
    top: float
    side: float
    end: float | None = None
    sweep: float = 6.0
    curl: float = 0.0


# Edges of haircuts as (degrees from the front, y), read off no photo: a hairline a forehead's height over the brows,
# a temple, a sideburn before the ear, an arc over the ear, the nape.
NATURAL = ((0, -1.06), (22, -1.05), (38, -0.99), (49, -0.82), (58, -0.56), (66, -0.22), (73, 0.08))
ROUND = ((0, -1.14), (16, -1.10), (30, -0.98), (42, -0.78), (52, -0.60), (62, -0.28), (70, -0.02))
OVER_EAR = ((80, 0.10), (85, -0.22), (98, -0.26), (106, 0.40), (120, 0.85), (150, 1.0))
COVERED = ((80, 0.3), (98, 0.55), (120, 0.9), (150, 1.0))
PARTED = ((0, -1.12), (14, -1.02), (30, -0.82), (44, -0.5), (55, -0.05), (61, 0.6), (150, 1.0))
STRAIGHT = ((0, -0.50), (24, -0.49), (42, -0.43), (52, -0.2), (58, 0.4), (150, 1.0))
SWEPT_BOB = ((0, -0.95), (18, -0.82), (34, -0.62), (48, -0.3), (56, 0.1), (61, 0.6), (150, 1.0))
PERM = ((0, -0.92), (24, -0.90), (42, -0.78), (54, -0.5), (66, -0.1), (74, 0.2))
DOWN = ((0, -0.60), (20, -0.58), (38, -0.54), (50, -0.50), (60, -0.40), (68, -0.05), (74, 0.12))
ASIDE = ((0, -0.98), (22, -0.95), (38, -0.88), (49, -0.76), (58, -0.54), (66, -0.22), (73, 0.08))

STYLES = {
    "long": Style(PARTED, rag=0.04, soft=0.02, top=0.15, side=0.10, end=2.7),
    "long_fringe": Style(STRAIGHT, rag=0.07, soft=0.02, top=0.16, side=0.11, end=2.6, sweep=2.0),
    "bob": Style(SWEPT_BOB, rag=0.05, soft=0.02, top=0.19, side=0.15, end=1.45),
    "tied": Style((*ROUND, *OVER_EAR), rag=0.015, soft=0.06, top=0.11, side=0.045, sweep=10.0),
    "cropped": Style((*PERM, *COVERED), rag=0.07, soft=0.03, top=0.27, side=0.18, sweep=8.0, curl=1.0),
    "fringe": Style((*DOWN, *OVER_EAR), rag=0.11, soft=0.02, top=0.21, side=0.085, sweep=5.0),
    "swept": Style((*NATURAL, *OVER_EAR), rag=0.03, soft=0.04, top=0.22, side=0.06, sweep=4.0),
    "side": Style((*ASIDE, *OVER_EAR), rag=0.05, soft=0.03, top=0.19, side=0.07, sweep=16.0),
    "crew": Style((*NATURAL, *OVER_EAR), rag=0.02, soft=0.06, top=0.07, side=0.035, sweep=2.0),
}


def covers_ears(traits: Traits) -> bool:
    """Whether the haircut hides the ears."""
    return STYLES[traits.hair].end is not None


def hair(person: Person, traits: Traits, light: Light, density: float) -> Cloth:
    """Return the hair as it lies round the head.

    Args:
        person: whose hair (for the strands' own generator).
        traits: the haircut and its colour.
        light: for the band of light that strands mirror.
        density: grid points per pupil distance.
    """
    style, rng = STYLES[traits.hair], person.rng(4)
    sections, top = _sections(traits, style, int(density * (2.2 if style.end is None else 3.6) / 1.1))
    degrees = np.linspace(-REACH, REACH, int(density * 4.6 / 1.1), dtype=np.float32)[None]
    y = sections.y[:, None]
    strand = degrees + style.sweep * (y + 1.8) * np.sign(traits.part) + 30 * traits.part
    locks, fine = _strands(rng, strand, y, style)
    alpha = _cover(traits, style, degrees, y, locks, fine)
    points = _points(sections, top, degrees, traits, 0.012 * locks)
    if style.end is None:
        points = _settle(points, traits, style, degrees, sections.y)
    albedo = _colour(traits, locks, fine)
    look = np.zeros((*alpha.shape, 4), np.float32)
    look[..., 0] = np.clip(0.92 + 0.14 * locks, 0.45, 1.1)
    look[..., 1] = 0.04
    look[..., 3] = _sheen(points, light, locks, fine) * (0.35 + 0.5 * (1 - traits.grey))
    return Cloth(points, albedo, look, alpha)


def _sections(traits: Traits, style: Style, rows: int) -> tuple[Sections, Floats]:
    """Return the shell's sections, and how far each row is lifted over the crown."""
    end = 1.05 if style.end is None else style.end
    head = head_sections(traits, 400)
    phase = np.linspace(0, 1, rows)
    y = (-1.845 + (end + 1.845) * np.clip(phase, 0, 1) ** 1.25).astype(np.float32)
    width, depth, centre = (np.interp(y, head.y, v) for v in (head.width, head.depth, head.centre))
    over = smoothstep(0.3, -0.9, y)
    side = style.side * traits.volume
    width = width + side * smoothstep(-1.85, -1.3, y)
    depth = depth + style.top * traits.volume * (0.25 + 0.75 * over) * smoothstep(-1.85, -1.2, y) * 0.75
    centre = np.minimum(centre, 0.08)
    if style.end is not None:
        hang = curve(((-0.5, 1.20), (0.3, 1.30), (1.2, 1.36), (1.6, 1.36), (2.2, 1.45), (3.2, 1.50)), y)
        if style.end < 1.8:
            hang = hang - 0.22 * smoothstep(style.end - 0.7, style.end, y)
        blend = smoothstep(-0.6, 0.1, y)
        width = width * (1 - blend) + blend * (hang + 0.5 * side)
        depth = depth * (1 - blend) + blend * 1.02
        centre = centre * (1 - blend) + blend * (0.05 + 0.14 * smoothstep(1.6, 2.6, y))
    lift = style.top * traits.volume * smoothstep(-0.7, -1.85, y) * (1 - 0.35 * np.exp(-(((y + 1.85) / 0.07) ** 2)))
    return Sections(y, width.astype(np.float32), depth.astype(np.float32), centre.astype(np.float32)), lift


def _points(sections: Sections, lift: Floats, degrees: Floats, traits: Traits, relief: Floats) -> Floats:
    angle = np.radians(degrees)
    x = sections.width[:, None] * np.sin(angle)
    z = sections.centre[:, None] + sections.depth[:, None] * np.cos(angle)
    y = np.broadcast_to((sections.y - lift)[:, None], x.shape)
    points = proportion(np.dstack([x, y, z]).astype(np.float32), traits)
    return np.asarray(points + relief[..., None] * outward(points), np.float32)


def _settle(points: Floats, traits: Traits, style: Style, degrees: Floats, y: Floats) -> Floats:
    """Let short hair lie down on the skin towards its edge at the sides, where a gap would show."""
    head = head_sections(traits, 400)
    skull = Sections(
        y, *(np.interp(y, head.y, v).astype(np.float32) for v in (head.width + 0.02, head.depth + 0.02, head.centre))
    )
    at, edge = np.array(style.hairline).T
    over = np.interp(np.abs(degrees), at, edge) - y[:, None]
    free = np.maximum(smoothstep(0.0, 0.5, over.astype(np.float32)), smoothstep(76, 34, np.abs(degrees)))
    free = cv2.GaussianBlur(free, (0, 0), 0.035 * degrees.shape[1])  # a step would fold the surface over itself
    flat = _points(skull, np.zeros_like(y), degrees, traits, np.zeros_like(over, np.float32))
    return np.asarray(flat + free[..., None] * (points - flat), np.float32)


def _strands(rng: np.random.Generator, strand: Floats, y: Floats, style: Style) -> tuple[Floats, Floats]:
    """Return noise that runs along the strands: broad locks and single hairs, each with spread near 1."""
    col = ((strand + 260) / 520).astype(np.float32)
    row = np.broadcast_to((y + 2.2) / 5.6, strand.shape).astype(np.float32)
    cells = (14, 90) if not style.curl else (46, 110)
    broad, thin = noise(rng, (160, 1200), cells), noise(rng, (96, 2048), (10, 1000))
    if style.curl:
        thin = 0.4 * thin + 0.9 * cv2.resize(noise(rng, (160, 1200), (70, 240)), (2048, 96))
    pick = [cv2.remap(n, col * (n.shape[1] - 1), row * (n.shape[0] - 1), cv2.INTER_LINEAR) for n in (broad, thin)]
    return np.asarray(pick[0], np.float32), np.asarray(pick[1], np.float32)


def _cover(traits: Traits, style: Style, degrees: Floats, y: Floats, locks: Floats, fine: Floats) -> Floats:
    at, edge = np.array(style.hairline).T
    recede = traits.recede * np.interp(np.abs(degrees), [0, 25, 45, 60, 70], [0.34, 0.42, 0.5, 0.25, 0.0])
    parted = 22 * traits.part * np.exp(-((degrees / 38) ** 2)) * (traits.hair in ("long", "side", "bob"))
    line = np.interp(np.abs(degrees + parted), at, edge) - recede
    rag = style.rag * (0.15 + 0.85 * smoothstep(68, 50, np.abs(degrees)))  # at the sideburn a lock would stand alone
    ragged = line + rag * (0.7 * locks + 0.45 * fine)
    alpha = smoothstep(style.soft, -style.soft, y - ragged)
    if style.end is not None:
        opened = np.interp(y, [-0.6, 0.0, 0.9, 1.8, 3.0], [50, 56, 51, 45, 40]) + 2.0 * locks
        side = smoothstep(-1.6, 1.6, np.abs(degrees) - opened)
        tip = smoothstep(0.03, -0.06, y - style.end + 0.16 + 0.07 * locks + 0.05 * fine)
        alpha = np.maximum(alpha * smoothstep(0.5, -0.1, y), side * smoothstep(-0.7, -0.3, y)) * tip
    thin = 1 - 0.45 * traits.recede * smoothstep(-1.0, -1.7, y)
    return np.asarray(alpha * np.clip(thin + 0.3 * fine * traits.recede, 0.3, 1), np.float32)


def _colour(traits: Traits, locks: Floats, fine: Floats) -> Floats:
    grey = np.clip(
        traits.grey * 1.25 - 0.12 + 0.22 * (fine + 0.5 * locks) * np.sqrt(traits.grey * (1.2 - traits.grey) + 0.01),
        0,
        1,
    )
    tone = np.exp(0.30 * fine + 0.22 * locks)[..., None]
    base = np.asarray(traits.hair_rgb, np.float32)
    return np.asarray((base * (1 - grey[..., None]) + GREY * grey[..., None]) * tone, np.float32)


def _sheen(points: Floats, light: Light, locks: Floats, fine: Floats) -> Floats:
    """The light that strands mirror: brightest where they lie across the half vector."""
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.sqrt(_dot(along, along)), 1e-6)[..., None]
    half = light.direction + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    slant = _dot(along, half) + 0.10 * locks + 0.06 * fine
    facing = np.clip(_dot(outward(points), light.direction) + 0.25, 0, 1)
    return np.asarray(
        (0.060 * np.exp(-((slant / 0.16) ** 2)) + 0.022 * np.exp(-((slant / 0.45) ** 2))) * facing * light.key,
        np.float32,
    )


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray(a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2])


def back_hair(person: Person, traits: Traits, density: float) -> Cloth | None:
    """Return the hair that hangs behind the neck, or None for short hair."""
    style, rng = STYLES[traits.hair], person.rng(5)
    if style.end is None:
        return None
    y = np.linspace(-1.2, style.end, int(density * 2), dtype=np.float32)[:, None]
    s = np.linspace(-1, 1, int(density * 1.8), dtype=np.float32)[None]
    width = np.interp(y, [-1.2, -0.3, 0.5, 1.4, 2.4, 3.2], [0.9, 1.2, 1.3, 1.36, 1.46, 1.5])
    x = (width + 0.05) * s
    points = np.dstack([x, np.broadcast_to(y, x.shape), -0.10 + 0.20 * np.sqrt(np.clip(1 - s * s, 0, 1)) + 0 * y])
    fine = noise(rng, x.shape, (6, x.shape[1] // 2))
    albedo = _colour(traits, noise(rng, x.shape, (5, 40)), fine) * 0.6
    look = np.zeros((*x.shape, 4), np.float32)
    look[..., 0] = 0.35
    alpha = smoothstep(0.03, -0.06, y - style.end + 0.12 + 0.08 * fine)
    return Cloth(
        proportion(points.astype(np.float32), traits), albedo.astype(np.float32), look, alpha.astype(np.float32)
    )


def bun(person: Person, traits: Traits, light: Light, density: float) -> Cloth | None:
    """Return the knot of tied hair that shows over the crown, or None for other haircuts."""
    if traits.hair != "tied":
        return None
    rng = person.rng(9)
    count = max(int(0.9 * density), 24)
    around = np.radians(np.linspace(-88, 88, count, dtype=np.float32))[None]
    down = np.radians(np.linspace(-88, 88, count, dtype=np.float32))[:, None]
    radius = 0.36 * traits.volume
    twist = np.degrees(around + 0.8 * down)
    locks, fine = _strands(rng, twist, np.degrees(down) / 60, STYLES["tied"])
    swell = radius * (1 + 0.04 * locks)
    x, y = 0.15 * traits.part + swell * np.sin(around) * np.cos(down), -1.93 + 0.82 * swell * np.sin(down)
    points = np.dstack([x, y, -0.55 + swell * np.cos(around) * np.cos(down)]).astype(np.float32)
    look = np.zeros((count, count, 4), np.float32)
    look[..., 0] = np.clip(0.75 + 0.14 * locks - 0.3 * np.sin(down), 0.3, 1.0)
    look[..., 3] = _sheen(points, light, locks, fine) * (0.35 + 0.5 * (1 - traits.grey))
    albedo = _colour(traits, locks, fine)
    return Cloth(proportion(points, traits), albedo, look, np.ones((count, count), np.float32))

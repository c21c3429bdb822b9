"""Drawing a portrait: build the surfaces, let the camera see them, light them, develop the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from datasets.portraits.body import clothes, ear, neck, sample_outfit
from datasets.portraits.camera import Camera, Floats, Pose, make_camera, sample_pose
from datasets.portraits.eyes import paint_eyes, soften
from datasets.portraits.film import background, expose
from datasets.portraits.hair import back_hair, bun, covers_ears, hair
from datasets.portraits.head import Surface, head_sections, sheet_place, wrap
from datasets.portraits.landmarks import landmarks
from datasets.portraits.layout import Layout
from datasets.portraits.light import Light, Scene, develop, empty_scene, render, sample_light
from datasets.portraits.masks import KINDS, WornMask, ear_loops, mask_cloth
from datasets.portraits.person import Person, sample_traits
from datasets.portraits.relief import Relief, sculpt
from datasets.portraits.skin import Paint, paint_skin
from datasets.portraits.surface import lay_cloth, see, soft_edge

OVERSAMPLE = 1.3


@dataclass(frozen=True)
class Portrait:
    """A drawn photo and what is true of it.

    Attributes:
        rgb: (height, width, 3) uint8 RGB.
        landmarks: (68, 2) float32, x and y in pixels, iBUG 300-W order; of a masked face, those beneath the mask.
    """

    rgb: npt.NDArray[np.uint8]
    landmarks: Floats


def draw_person(
    person: Person,
    *,
    size: tuple[int, int] = (384, 512),
    pose: Pose | None = None,
    light: Light | None = None,
    mask: str | WornMask | None = None,
    seed: int = 0,
) -> npt.NDArray[np.uint8]:
    """Draw a photo of a sample person.

    Args:
        person: who.
        size: (width, height), pixels.
        pose: turn and expression; sampled when None.
        light: sampled when None.
        mask: None for a bare face, a wear style (``correct``, ``nose_out``, ``chin``) or a ``WornMask``.
        seed: the photo's number: clothes, background, grain, and whatever is sampled.

    Returns:
        (height, width, 3) uint8 RGB; equal arguments give equal pixels.
    """
    return draw_portrait(person, size=size, pose=pose, light=light, mask=mask, seed=seed).rgb


def draw_portrait(
    person: Person,
    *,
    size: tuple[int, int] = (384, 512),
    pose: Pose | None = None,
    light: Light | None = None,
    mask: str | WornMask | None = None,
    seed: int = 0,
) -> Portrait:
    """Draw a photo of a sample person and return it with its landmarks; the arguments are ``draw_person``'s."""
    rng = person.rng(100, seed)
    pose = pose or sample_pose(rng)
    light = light or sample_light(rng)
    traits = sample_traits(person)
    if isinstance(mask, str):
        mask = WornMask(str(rng.choice(KINDS)), mask)
    layout = Layout(traits, pose)
    camera = make_camera(size, pose)
    relief = sculpt(layout, person.rng(1))
    large = camera.enlarged(OVERSAMPLE)
    surface = wrap(head_sections(traits, int(2.4 * large.scale)), traits, int(1.9 * large.scale))
    scene = _scene(person, layout, relief, surface, light, large, mask, rng)
    picture = develop(render(scene, light, large.scale))
    return Portrait(expose(picture, size, person.rng(101, seed)), landmarks(layout, surface, relief, camera))


def _scene(
    person: Person,
    layout: Layout,
    relief: Relief,
    surface: Surface,
    light: Light,
    camera: Camera,
    mask: WornMask | None,
    rng: np.random.Generator,
) -> Scene:
    """Lay everything before the camera, from the wall to the hair."""
    traits, density = layout.traits, camera.scale
    scene = empty_scene(camera.width, camera.height)
    scene.albedo[...] = background(camera.width, camera.height, light, rng)
    for behind in (back_hair(person, traits, density), bun(person, traits, light, density)):
        if behind is not None:
            lay_cloth(scene, camera, behind)
    lay_cloth(scene, camera, neck(traits, density, person.rng(6)))
    lay_cloth(scene, camera, clothes(traits, sample_outfit(rng), density, rng), contact=0.4)
    if not covers_ears(traits):
        for side in (1, -1):
            lay_cloth(scene, camera, ear(traits, side, density))
    _lay_face(scene, camera, surface, relief, _paint(person, layout, light))
    if mask is not None:
        _lay_mask(scene, camera, layout, relief, mask, int(rng.integers(2**31)))
    lay_cloth(scene, camera, hair(person, traits, light, density), contact=0.5)
    return scene


def _paint(person: Person, layout: Layout, light: Light) -> Paint:
    paint = paint_skin(layout, person.rng(2))
    toward = light.direction
    paint_eyes(paint, layout, (float(0.45 * toward[0]), float(0.55 * toward[1])), person.rng(3))
    soften(paint)
    return paint


def _lay_face(scene: Scene, camera: Camera, surface: Surface, relief: Relief, paint: Paint) -> None:
    """Lay the head, its features taken from the sheet at the sheet's own resolution."""
    points = surface.points.copy()
    points[..., 2] += cv2.remap(relief.height, *sheet_place(surface.flat), cv2.INTER_LINEAR)
    placed = camera.place(points)
    seen = see(scene, camera, placed)
    if seen is None:
        return
    col, row = sheet_place(seen.sample(surface.flat))

    def on_sheet(values: Floats) -> Floats:
        return np.asarray(cv2.remap(values, col, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    normal = seen.sample(surface.normals)
    normal[..., :2] -= np.clip(normal[..., 2:3], 0, 1) * on_sheet(np.dstack([relief.slope_x, relief.slope_y]))
    look = on_sheet(np.dstack([relief.open_sky, paint.gloss, 1 - paint.wet, paint.glow]))
    depth = seen.sample(np.ascontiguousarray(placed[..., 2]))
    scene.lay(
        seen.window, soft_edge(seen.cover), on_sheet(paint.albedo), cv2.transform(normal, camera.turn), look, depth
    )


def _lay_mask(scene: Scene, camera: Camera, layout: Layout, relief: Relief, mask: WornMask, seed: int) -> None:
    lines = ear_loops(mask, layout, np.random.default_rng(seed))
    _lay_loops(scene, camera, lines, 0.03 if mask.kind == "black" else 0.68)
    lay_cloth(scene, camera, mask_cloth(mask, layout, relief, camera.scale, np.random.default_rng(seed)), contact=0.5)


def _lay_loops(scene: Scene, camera: Camera, lines: list[Floats], tone: float) -> None:
    """Draw elastic bands over the cheeks, each with a thin shadow under it."""
    height, width = scene.depth.shape
    canvas = np.zeros((height, width), np.uint8)
    for line in lines:
        points = (camera.project(camera.place(line)) * 16).round().astype(np.int32)
        cv2.polylines(
            canvas, [points.reshape(-1, 1, 2)], False, 255, max(round(0.030 * camera.scale), 2), cv2.LINE_AA, 4
        )
    alpha = canvas.astype(np.float32) / np.float32(255)
    under = cv2.GaussianBlur(alpha, (0, 0), 0.03 * camera.scale)
    scene.look[..., 0] *= 1 - 0.55 * under
    scene.albedo *= (1 - alpha)[..., None]
    scene.albedo += alpha[..., None] * np.float32(tone)
    scene.look[..., 2] *= 1 - alpha
    scene.look[..., 0] = scene.look[..., 0] * (1 - alpha) + alpha

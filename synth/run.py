"""Many photos: one photo's whole work as a function that any kind of worker can call, and its outcome as a record."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from synth.arrays import RgbImage
from synth.choice import CHOICE_VERSION, check_policy
from synth.engine import MaskedFace, MaskEngine, Prepared
from synth.errors import OutputError, PhotoRefusedError, SynthError, SynthUsageError
from synth.face import Face
from synth.finder import FaceFinder, check_budget
from synth.framing import Size
from synth.gate import Gate
from synth.landmark_cache import LandmarkCache, cache_key
from synth.looks.templates import templates_digest, use_templates
from synth.output import write_jpeg
from synth.plans import AssignedPlan, Order, Plan
from synth.recipe import recipe_id, variant_seed
from synth.tilt import check_tilt
from synth.wear import mask_state_of

DECODE_SIDE = 1600
"""Where variants are reframed, photos are decoded with at least this longest side, in pixels, and no more than a JPEG's
scaled decoding makes necessary; a face too small at that size is tried again at full size."""

STAGE = "mask"


class DecodedPhoto(Protocol):
    """What a reader returns: pixels (H, W, 3) uint8 RGB, the SHA-256 of the file's bytes in hex, and the scale of the
    decoded picture, 1 for full size."""

    @property
    def rgb(self) -> RgbImage: ...  # noqa: D102

    @property
    def sha256(self) -> str: ...  # noqa: D102

    @property
    def scale(self) -> float: ...  # noqa: D102


Reader = Callable[[Path, int | None], DecodedPhoto]
"""Opens a photo: reader(path, longest side wanted or None for all pixels). Raises PhotoRefusedError. A module-level
function, so that worker processes can be handed it."""


@dataclass(frozen=True)
class Settings:
    """Everything that shapes the variants of a run.

    Attributes:
        plan: which variants a photo gets; an `AssignedPlan` where each task says it.
        size: of the competition's framing; None keeps each photo's own frame.
        seed: of the run.
        quality: of the JPEGs, 1 to 100.
        faces: which face of several is meant: auto, largest, all or refuse.
        templates: folder of the user's own mask types, see `synth.looks.templates`.
        find_budget: nominal milliseconds for finding the faces of a photo (`FaceFinder`); without limit where None.
        tilt: heads are raised or lowered by up to so many degrees, each variant by another, bare ones too, so that a
            tilted head tells nothing of a mask (`MaskEngine.tilt`).
        turn: heads are turned to either side by up to so many degrees, likewise.
    """

    plan: Plan | AssignedPlan
    size: Size | None = None
    seed: int = 0
    quality: int = 92
    faces: str = "auto"
    templates: Path | None = None
    find_budget: float | None = None
    tilt: float = 0.0
    turn: float = 0.0
    templates_digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        check_policy(self.faces)
        check_budget(self.find_budget)
        check_tilt(self.tilt)
        check_tilt(self.turn, "turn")
        if self.templates is not None:
            # Read once, where the run is set up: workers take the digest along and check nothing again.
            object.__setattr__(self, "templates_digest", templates_digest(self.templates))

    def parameters(self) -> dict[str, Any]:
        """As JSON values."""
        frame = [self.size.width, self.size.height] if self.size else None
        own = {"templates": self.templates_digest} if self.templates is not None else {}
        finding = {"faces": self.faces, "find_budget": self.find_budget}
        heads = {name: most for name, most in (("tilt", self.tilt), ("turn", self.turn)) if most}
        return {"size": frame, "quality": self.quality, **finding, "gate": asdict(Gate()), **own, **heads}

    def identity(self) -> str:
        """Sixteen hex digits; two runs with the same make the same bytes of the same photos."""
        return recipe_id({**self.parameters(), "plan": self.plan.parameters(), "seed": self.seed})


@dataclass(frozen=True)
class PhotoTask:
    """One photo to work on.

    Attributes:
        photo_id: as in the manifest.
        path: of the file.
        stem: of its variants, relative to the output folder, `/` between parts; `__<key>.jpg` is added.
        plan: which variants this photo gets, where the run's plan is an `AssignedPlan`.
    """

    photo_id: str
    path: Path
    stem: str
    plan: Plan | None = None


@dataclass(frozen=True)
class Job:
    """What all photos of a run share.

    Attributes:
        settings: what shapes the variants.
        out: the folder they are written to.
        reader: opens photos.
        cache: folder in which the faces found are kept, and taken from where an earlier run found them; with or
            without it the variants are the same, byte for byte. None keeps none.
    """

    settings: Settings
    out: Path
    reader: Reader
    cache: Path | None = None

    def plan_of(self, task: PhotoTask) -> Plan:
        """Which variants a photo gets.

        Raises:
            SynthUsageError: the run's plan gives each photo its own, and this one has none.
        """
        plan = self.settings.plan if task.plan is None else task.plan
        if isinstance(plan, AssignedPlan):
            raise SynthUsageError(f"the plan {plan.name} says nothing of {task.photo_id}: leave that photo out")
        return plan


def mask_photo(job: Job, task: PhotoTask) -> dict[str, Any]:
    """Makes and writes all variants of one photo.

    Returns:
        The outcome, JSON values only: `photo_id`, `stamp` (of the file), `variants` (a list of manifest columns and
        values, with `path` relative to the output folder, and `bytes`, the file's size), `refusals` (a list of
        photo_id, stage, reason, detail).
    """
    outcome: dict[str, Any] = _outcome(task)
    try:
        _make_variants(job, task, outcome)
    except PhotoRefusedError as refused:
        outcome["refusals"].append(_refusal(task.photo_id, refused))
    except (SynthError, ImportError):
        raise
    except (
        Exception
    ) as error:  # a fault of ours: one strange photo mustn't end a night's run, and isn't lost in silence
        told = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        outcome["variants"].clear()
        outcome["refusals"].append(_refusal(task.photo_id, PhotoRefusedError("engine_failed", told)))
    # What an earlier run made of a photo that has changed since, and this one refuses, would be in no manifest.
    made = {variant["path"] for variant in outcome["variants"]}
    for path in {_variant_path(task, key) for key in job.plan_of(task).keys} - made:
        with suppress(OSError):
            (job.out / path).unlink()
    return outcome


def _make_variants(job: Job, task: PhotoTask, outcome: dict[str, Any]) -> None:
    use_templates(job.settings.templates, job.settings.templates_digest)
    sha256, ready = _open(job, task)
    _make_folder(job, task)
    plan = job.plan_of(task)
    order_seed = variant_seed(job.settings.seed, sha256, "orders", plan.name)
    for order in plan.orders(np.random.default_rng(order_seed)):
        try:
            outcome["variants"].append(_make_variant(job, task, sha256, ready, order))
        except PhotoRefusedError as refused:
            outcome["refusals"].append(_refusal(f"{task.photo_id}#{order.key}", refused))


def _make_folder(job: Job, task: PhotoTask) -> None:
    folder = (job.out / task.stem).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        told = error.strerror or type(error).__name__
        raise OutputError(f"cannot make the folder {folder}: {told}; mend that and run again") from error


def _variant_path(task: PhotoTask, key: str) -> str:
    return f"{task.stem}__{key}.jpg"


def died(task: PhotoTask) -> dict[str, Any]:
    """The outcome of a photo whose worker process was ended by it, twice."""
    refused = PhotoRefusedError("worker_died", "the process that worked on this photo was ended, perhaps out of memory")
    return {**_outcome(task), "refusals": [_refusal(task.photo_id, refused)]}


def _outcome(task: PhotoTask) -> dict[str, Any]:
    return {"photo_id": task.photo_id, "stamp": file_stamp(task.path), "variants": [], "refusals": []}


def file_stamp(path: Path) -> list[int]:
    """Size in bytes and time of change in nanoseconds of a file, which tell a changed photo; empty without one."""
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


@lru_cache(maxsize=2)
def _engine(faces: str, find_budget: float | None) -> MaskEngine:
    return MaskEngine(faces=faces, finder=FaceFinder(budget_ms=find_budget))


def _engine_of(job: Job) -> MaskEngine:
    return _engine(job.settings.faces, job.settings.find_budget)


@lru_cache(maxsize=2)
def _cache(folder: Path) -> LandmarkCache:
    return LandmarkCache(folder)


def _found(job: Job, photo: DecodedPhoto) -> list[Face]:
    """The faces of a photo, as the engine finds them or an earlier run's found them."""
    engine = _engine_of(job)
    if job.cache is None:
        return engine.find(photo.rgb)
    cache = _cache(job.cache)
    choice = f"choice {CHOICE_VERSION}, faces {engine.faces}, dominance {engine.gate.dominance}"
    sought = f"{engine.finder.identity()}, {choice}"
    key = cache_key(photo.sha256, photo.rgb.shape, sought)
    faces = cache.get(key)
    if faces is None:
        faces = engine.find(photo.rgb)
        cache.put(key, faces)
    return faces


def _open(job: Job, task: PhotoTask) -> tuple[str, Prepared]:
    """The photo's SHA-256 and the photo with its face; read again at full size where fewer pixels don't suffice."""
    engine, size = _engine_of(job), job.settings.size
    photo = job.reader(task.path, DECODE_SIDE if size else None)
    try:
        ready = engine.prepare(photo.rgb, size=size, found=_found(job, photo))
        if photo.scale == 1 or ready.zoom <= 1:
            return photo.sha256, ready
    except PhotoRefusedError as refused:
        if photo.scale == 1 or refused.reason not in ("no_face", "face_too_small"):
            raise
    photo = job.reader(task.path, None)
    return photo.sha256, engine.prepare(photo.rgb, size=size, found=_found(job, photo))


def _make_variant(job: Job, task: PhotoTask, sha256: str, ready: Prepared, order: Order) -> dict[str, Any]:
    settings = job.settings
    recipe = recipe_id({**settings.parameters(), "wear_style": order.wear_style, "mask_type": order.mask_type})
    seed = variant_seed(settings.seed, sha256, order.key, recipe)
    ready = _tilted(job, ready, seed)
    masked = _engine_of(job).mask(ready, wear=order.wear_style, mask=order.mask_type or None, seed=seed)
    relative = _variant_path(task, order.key)
    try:
        written = write_jpeg(masked.rgb, job.out / relative, settings.quality)
    except OSError as error:
        told = error.strerror or type(error).__name__
        raise OutputError(f"cannot write {relative}: {told}; mend that and run again, it goes on from here") from error
    return {
        "bytes": written.size,
        "photo_id": f"{task.photo_id}#{order.key}",
        "path": relative,
        "sha256": written.sha256,
        "phash": written.phash,
        "width": written.width,
        "height": written.height,
        "parent_id": task.photo_id,
        "recipe_id": recipe,
        "seed": seed,
        "mask": mask_state_of(order.wear_style),
        **_measured(masked),
    }


def _tilted(job: Job, ready: Prepared, seed: int) -> Prepared:
    """The photo with the head tilted and turned by what a variant's seed says."""
    most = np.array([job.settings.tilt, job.settings.turn])
    if not most.any():
        return ready
    pitch, yaw = np.random.default_rng([seed, 1]).uniform(-most, most)
    return _engine_of(job).tilt(ready, float(pitch), float(yaw))


def _measured(masked: MaskedFace) -> dict[str, Any]:
    covered = {
        "nose_covered": masked.coverage.nose,
        "mouth_covered": masked.coverage.mouth,
        "chin_covered": masked.coverage.chin,
    }
    if masked.look is None:
        return covered
    return {"mask_type": masked.mask_type, "wear_style": masked.wear_style, **covered}


def _refusal(photo_id: str, refused: PhotoRefusedError) -> dict[str, str]:
    return {"photo_id": photo_id, "stage": STAGE, "reason": refused.reason, "detail": refused.detail}

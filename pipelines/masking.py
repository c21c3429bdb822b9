"""Masking the photos of a manifest: datasets' records in, synth's variants out, a manifest of them beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from datasets.errors import PhotoError
from datasets.identities import carry_people
from datasets.manifest import REFUSALS, make_manifest, make_refusals, write_manifest, write_refusals
from datasets.photos import Photo, read_photo
from datasets.refusals import Refusal
from pipelines.balancing import BALANCE, BalanceOptions, assign_plan, chosen_balance
from pipelines.contact_sheets import save_sheet
from pipelines.errors import SettingsError
from pipelines.executors import BACKENDS, stream_batches, worker_count
from pipelines.mask_input import MaskInput, photos_of_manifest
from pipelines.types import ProgressCallback
from pipelines.variant_files import PREVIEW, forget_run
from synth.balance_file import is_balance_file
from synth.errors import PhotoRefusedError
from synth.framing import Size
from synth.journal import FOLDER, Journal, run_lock
from synth.landmark_cache import FOLDER as LANDMARKS
from synth.looks import load_templates
from synth.output import remove_parts
from synth.plans import AssignedPlan, Plan, custom_plan, get_plan
from synth.run import Job, PhotoTask, Settings, died, mask_photo
from synth.sheet import Tile

BATCH = 4
"""Photos a task: enough to hide what a task costs, few enough that a kill loses little."""

INHERITED = (
    *("source", "source_version", "licence", "person_id", "gender", "age", "age_group"),
    *("gender_from", "age_from", "gender_confidence", "age_confidence"),
)
"""What a variant takes from its photo."""


@dataclass(frozen=True)
class MaskOptions:
    """How photos are masked.

    Attributes:
        plan: Which variants a photo gets: a built-in plan, `balance`, or the file of a plan.
        wear: Wear styles (`style` or `style:count`) in place of the plan's.
        types: Mask types to draw from; all when empty.
        size: Width and height in pixels of the competition's framing; each photo's own frame when None.
        seed: Same seed, photos and options: same bytes.
        workers: Processes; 0 takes every core.
        quality: Of the JPEGs, 1 to 100.
        resume: Go on where a run with the same options was; otherwise what it left is replaced.
        faces: Which face of several is meant: auto, largest, all or refuse; what the plan says where this is auto.
        find_budget: Nominal milliseconds for finding the faces of a photo; without limit when None.
        tilt: Heads are raised or lowered by up to so many degrees, bare ones too.
        turn: Heads are turned to either side by up to so many degrees, bare ones too.
        cache: Folder that keeps the faces found, for other runs on the same photos; the output's own when None.
        backend: Where the workers are: processes, or ray.
        templates: Folder of the user's own mask types (PNG and TOML), drawn beside the built-in ones.
        balance: What the plan `balance` is made of.
    """

    plan: str = "competition"
    wear: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    size: tuple[int, int] | None = None
    seed: int = 0
    workers: int = 0
    quality: int = 92
    resume: bool = True
    faces: str = "auto"
    backend: str = "processes"
    templates: Path | None = None
    balance: BalanceOptions = field(default_factory=BalanceOptions)
    find_budget: float | None = None
    cache: Path | None = None
    tilt: float = 0.0
    turn: float = 0.0

    def settings(self, assigned: AssignedPlan | None = None) -> Settings:
        """Return what synth needs of them.

        Args:
            assigned: Stands for a plan that gives each photo variants of its own, see `with_plan`.

        Raises:
            SynthUsageError: The plan, a wear style, a mask type or the face policy is unknown, a template is faulty, or
                heads would be tilted or turned too far.
            SettingsError: The quality or the number of workers is out of range, or the backend is unknown.
        """
        if not 1 <= self.quality <= 100:
            raise SettingsError(f"expected a JPEG quality from 1 to 100, got {self.quality}")
        if self.backend not in BACKENDS:
            raise SettingsError(f"unknown backend {self.backend!r}: expected one of {', '.join(BACKENDS)}")
        if self.workers < 0:
            raise SettingsError(f"expected 0 (every core) or more workers, got {self.workers}")
        size = None if self.size is None else Size.parse("{}x{}".format(*self.size))
        plan = assigned or self.chosen_plan()
        faces = plan.faces if plan.faces and self.faces == "auto" else self.faces
        return Settings(
            plan, size, self.seed, self.quality, faces, self.templates, self.find_budget, self.tilt, self.turn
        )

    @property
    def is_balance(self) -> bool:
        """The plan gives each photo variants of its own."""
        return self.plan == BALANCE or is_balance_file(self.plan)

    def chosen_plan(self) -> Plan | AssignedPlan:
        """Return the plan, narrowed by wear styles and mask types; what stands for it where photos get their own.

        Templates are known as mask types from here on.

        Raises:
            SynthUsageError: The plan, a wear style or a mask type is unknown.
            SettingsError: Wear styles are named beside a plan that says how each photo is worn.
        """
        if self.templates is not None:
            load_templates(self.templates)
        if self.is_balance:
            custom_plan(get_plan("wear"), (), self.types)
            if self.wear:
                raise SettingsError(
                    "--wear and a balance plan exclude each other: the plan says how each photo is worn"
                )
            return AssignedPlan(BALANCE, "")
        return custom_plan(get_plan(self.plan), self.wear, self.types)


@dataclass(frozen=True)
class MaskSummary:
    """What a run of masking did.

    Attributes:
        photos: In the input.
        masked_photos: That have at least one variant.
        variants: In the manifest.
        by_wear_style: Variants by wear style; `not_wear` for those without a mask.
        refusals_by_reason: Photos and variants that are not used, here or before.
        reused: Photos that an earlier run had finished.
        manifest: The file.
        planned: Variants that a balance plan asked for; None with another plan.
        short: Photos that each class still lacks to a balance plan's target.
    """

    photos: int
    masked_photos: int
    variants: int
    by_wear_style: dict[str, int]
    refusals_by_reason: dict[str, int]
    manifest: Path
    reused: int = 0
    planned: int | None = None
    short: dict[str, int] = field(default_factory=dict)


def mask_manifest(
    manifest: Path, out: Path, options: MaskOptions, progress: ProgressCallback | None = None
) -> MaskSummary:
    """Make the variants of every real photo of a manifest.

    Args:
        manifest: The file, or the folder it is in.
        out: Gets the variants, manifest.parquet, manifest.csv, refusals.csv and preview.jpg; where somebody is known by
            several person ids, people.json as well.
        options: How.
        progress: Called with (photos done, photos in all).

    Raises:
        DatasetsError: There is no valid manifest.
        SynthUsageError: An option is unknown, or `out` holds a run with other options.
        SynthError: The output can't be written.
    """
    return mask_photos(photos_of_manifest(manifest), out, options, progress)


def with_plan(given: MaskInput, options: MaskOptions) -> MaskInput:
    """Give each photo variants of its own, where the plan is a balance; do nothing otherwise, nor a second time.

    Raises:
        DatasetsError: What is counted can't be read.
        SettingsError: The plan lacks what it is made of.
        SynthUsageError: The plan's file or target is malformed.
    """
    if given.assigned is not None or not options.is_balance:
        return given
    return assign_plan(given, chosen_balance(given, options.plan, options.balance, options.types), options.types)


def mask_photos(
    given: MaskInput, out: Path, options: MaskOptions, progress: ProgressCallback | None = None
) -> MaskSummary:
    """Mask photos and write the manifest; see `mask_manifest`."""
    given = with_plan(given, options)
    settings = options.settings(given.assigned)
    with run_lock(out):
        if not options.resume:
            forget_run(out, given.tasks)
        return _mask_locked(given, out, options, settings, progress)


def _mask_locked(
    given: MaskInput, out: Path, options: MaskOptions, settings: Settings, progress: ProgressCallback | None
) -> MaskSummary:
    with Journal(out, settings.identity()) as journal:
        remove_parts(out)
        journal.drop_absent(given.tasks)
        waiting = [task for task in given.tasks if not journal.is_done(task)]
        _work(
            waiting,
            Job(settings, out, read_for_masking, options.cache or out / FOLDER / LANDMARKS),
            options,
            journal,
            len(given.tasks),
            progress,
        )
        outcomes = journal.outcomes(given.tasks)
    return _write(given, outcomes, out, len(given.tasks) - len(waiting))


def _work(
    tasks: Sequence[PhotoTask],
    job: Job,
    options: MaskOptions,
    journal: Journal,
    total: int,
    progress: ProgressCallback | None,
) -> None:
    done = total - len(tasks)
    if progress is not None:
        progress(done, total)
    batches = stream_batches(
        partial(mask_photo, job),
        tasks,
        workers=worker_count(options.workers),
        crashed=died,
        batch=BATCH,
        backend=options.backend,
    )
    for outcomes in batches:
        for outcome in outcomes:
            journal.record(outcome)
        done += len(outcomes)
        if progress is not None:
            progress(done, total)


def read_for_masking(path: Path, side: int | None) -> Photo:
    """Open a photo for synth, which knows nothing of datasets.

    Raises:
        PhotoRefusedError: The file is no usable photo.
    """
    try:
        return read_photo(path, max_side=side)
    except PhotoError as error:
        raise PhotoRefusedError(error.reason, error.detail) from error


def _write(given: MaskInput, outcomes: Sequence[Mapping[str, Any]], out: Path, reused: int) -> MaskSummary:
    variants = [
        _row(variant, given.rows[outcome["photo_id"]]) for outcome in outcomes for variant in outcome["variants"]
    ]
    refused = make_refusals([Refusal(**refusal) for outcome in outcomes for refusal in outcome["refusals"]])
    manifest = out / "manifest.parquet"
    made = make_manifest(variants)
    write_manifest(made, manifest)
    carry_people(given.people, out)
    refused = pd.concat([given.refused, refused], ignore_index=True)
    write_refusals(refused, out / REFUSALS)
    _write_preview(outcomes, out)
    styles = Counter(str(variant.get("wear_style") or variant["mask"]) for variant in variants)
    return MaskSummary(
        photos=len(given.tasks),
        masked_photos=sum(bool(outcome["variants"]) for outcome in outcomes),
        variants=len(variants),
        by_wear_style=dict(sorted(styles.items())),
        refusals_by_reason=dict(Counter(refused["reason"].tolist()).most_common()),
        manifest=manifest,
        reused=reused,
        planned=given.planned,
        short=given.still_short(made),
    )


def _row(variant: Mapping[str, Any], photo: Mapping[str, Any]) -> dict[str, Any]:
    inherited = {name: photo[name] for name in INHERITED if name in photo and not pd.isna(photo[name])}
    measured = {name: value for name, value in variant.items() if name != "bytes"}
    return {**inherited, **measured, "mask_from": "synthetic", "mask_confidence": 1.0}


def _write_preview(outcomes: Iterable[Mapping[str, Any]], out: Path) -> None:
    rows = [[_tile(variant, out) for variant in outcome["variants"]] for outcome in outcomes if outcome["variants"]]
    save_sheet(rows, out / PREVIEW)


def _tile(variant: Mapping[str, Any], out: Path) -> Tile:
    style = variant.get("wear_style") or variant["mask"]
    kind = variant.get("mask_type", "")
    return Tile(out / variant["path"], f"{style} {kind}".strip(), PurePosixPath(variant["path"]).name)

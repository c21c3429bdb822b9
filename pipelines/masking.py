"""Masking the photos of a manifest: datasets' records in, synth's variants out, a manifest of them beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from datasets.atomic import atomic_write
from datasets.errors import LayoutError, PhotoError
from datasets.licences import check_licence
from datasets.manifest import (
    REFUSALS,
    make_manifest,
    make_refusals,
    manifest_file,
    read_manifest,
    read_refusals,
    write_manifest,
    write_refusals,
)
from datasets.photos import Photo, read_photo
from datasets.readers.base import Record
from datasets.readers.folder import INFO as FOLDER_INFO
from datasets.readers.folder import read as read_folder
from datasets.refusals import Refusal
from pipelines.errors import SettingsError
from pipelines.executors import BACKENDS, stream_batches, worker_count
from pipelines.types import ProgressCallback
from pipelines.variant_files import PREVIEW, forget_run, make_tasks
from synth.errors import PhotoRefusedError
from synth.framing import Size
from synth.journal import FOLDER, Journal, run_lock
from synth.landmark_cache import FOLDER as LANDMARKS
from synth.output import remove_parts
from synth.plans import Plan, custom_plan, get_plan
from synth.run import STAGE, Job, PhotoTask, Settings, died, mask_photo
from synth.sheet import Tile, contact_sheet

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
        plan: Which variants a photo gets: a built-in plan or a TOML file.
        wear: Wear styles (`style` or `style:count`) in place of the plan's.
        types: Mask types to draw from; all when empty.
        size: Width and height in pixels of the competition's framing; each photo's own frame when None.
        seed: Same seed, photos and options: same bytes.
        workers: Processes; 0 takes every core.
        quality: Of the JPEGs, 1 to 100.
        resume: Go on where a run with the same options was; otherwise what it left is replaced.
        faces: Which face of several is meant: auto, largest, all or refuse.
        find_budget: Nominal milliseconds for finding the faces of a photo; without limit when None.
        cache: Folder that keeps the faces found, for other runs on the same photos; the output's own when None.
        backend: Where the workers are: processes, or ray.
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
    find_budget: float | None = None
    cache: Path | None = None

    def settings(self) -> Settings:
        """Return what synth needs of them.

        Raises:
            SynthUsageError: The plan, a wear style, a mask type or the face policy is unknown.
            SettingsError: The quality or the number of workers is out of range, or the backend is unknown.
        """
        if not 1 <= self.quality <= 100:
            raise SettingsError(f"expected a JPEG quality from 1 to 100, got {self.quality}")
        if self.backend not in BACKENDS:
            raise SettingsError(f"unknown backend {self.backend!r}: expected one of {', '.join(BACKENDS)}")
        if self.workers < 0:
            raise SettingsError(f"expected 0 (every core) or more workers, got {self.workers}")
        size = None if self.size is None else Size.parse("{}x{}".format(*self.size))
        return Settings(self.chosen_plan(), size, self.seed, self.quality, self.faces, self.find_budget)

    def chosen_plan(self) -> Plan:
        """Return the plan, narrowed by wear styles and mask types."""
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
    """

    photos: int
    masked_photos: int
    variants: int
    by_wear_style: dict[str, int]
    refusals_by_reason: dict[str, int]
    manifest: Path
    reused: int = 0


@dataclass(frozen=True)
class MaskInput:
    """Photos to mask.

    Attributes:
        tasks: One a photo.
        rows: Each photo's manifest columns, by photo id.
        refused: What was refused before, as a refusals table.
    """

    tasks: list[PhotoTask]
    rows: Mapping[str, Mapping[str, Any]]
    refused: pd.DataFrame = field(default_factory=lambda: make_refusals([]))


def mask_manifest(
    manifest: Path, out: Path, options: MaskOptions, progress: ProgressCallback | None = None
) -> MaskSummary:
    """Make the variants of every real photo of a manifest.

    Args:
        manifest: The file, or the folder it is in.
        out: Gets the variants, manifest.parquet, manifest.csv, refusals.csv and preview.jpg.
        options: How.
        progress: Called with (photos done, photos in all).

    Raises:
        DatasetsError: There is no valid manifest.
        SynthUsageError: An option is unknown, or `out` holds a run with other options.
        SynthError: The output can't be written.
    """
    return mask_photos(photos_of_manifest(manifest), out, options, progress)


def photos_of_manifest(manifest: Path) -> MaskInput:
    """Take the real photos of a manifest, with their labels and what was refused of them.

    Args:
        manifest: The file, or the folder it is in.

    Raises:
        DatasetsError: There is no valid manifest.
    """
    frame, folder = read_manifest(manifest), manifest_file(manifest).parent
    photos = frame[frame["parent_id"].isna()].set_index("photo_id")
    refusals = folder / REFUSALS
    before = read_refusals(refusals) if refusals.is_file() else make_refusals([])
    rows: dict[Any, dict[Any, Any]] = photos.to_dict("index")
    paths = {str(photo_id): folder / str(path) for photo_id, path in photos["path"].items()}
    return _bare_faces(paths, rows, before)


def photos_of_folder(
    root: Path, labels: Path | None = None, licence: str | None = None, name: str | None = None
) -> MaskInput:
    """Find the photos of any nested folder, without opening one.

    Args:
        root: The folder.
        labels: A CSV of labels; a metadata.csv in the folder is read without being named.
        licence: Id of the terms the photos come under; otherwise what the labels say, or unstated.
        name: Of the source, so that two folders can be told apart in a merge.

    Raises:
        DatasetsError: No such folder or CSV, no photo in it, or a malformed name or licence.
    """
    chosen = {"csv": labels, "name": name}
    listing = read_folder(root, {option: value for option, value in chosen.items() if value is not None})
    terms = {} if licence is None else {"licence": check_licence(licence)}
    if not listing.records and not listing.refusals:
        raise LayoutError(f"no photos in {root}; expected {FOLDER_INFO.expects}")
    source = listing.source or FOLDER_INFO.name
    version = listing.version
    rows = {f"{source}:{each.photo.relative}": {**_row_of(each, source, version), **terms} for each in listing.records}
    paths = {f"{source}:{record.photo.relative}": record.photo.path for record in listing.records}
    return _bare_faces(paths, rows, make_refusals([refusal.of_source(source) for refusal in listing.refusals]))


def _row_of(record: Record, source: str, version: str | None) -> dict[str, Any]:
    named = {"source": source, "source_version": version, "person_id": f"{source}:{record.person}"}
    return {"licence": FOLDER_INFO.licence, **record.labels, **named}


def _bare_faces(paths: Mapping[str, Path], rows: Mapping[str, Mapping[str, Any]], before: pd.DataFrame) -> MaskInput:
    """The photos to mask; those labelled as masked already are refused."""
    masked = {name for name, row in rows.items() if row.get("mask") in ("wear", "incorrect")}
    refused = [Refusal(name, STAGE, "already_covered", f"labelled {rows[name]['mask']}") for name in sorted(masked)]
    tasks = make_tasks({name: path for name, path in paths.items() if name not in masked})
    return MaskInput(tasks, rows, pd.concat([before, make_refusals(refused)], ignore_index=True))


def mask_photos(
    given: MaskInput, out: Path, options: MaskOptions, progress: ProgressCallback | None = None
) -> MaskSummary:
    """Mask photos and write the manifest; see `mask_manifest`."""
    settings = options.settings()
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
    write_manifest(make_manifest(variants), manifest)
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
    )


def _row(variant: Mapping[str, Any], photo: Mapping[str, Any]) -> dict[str, Any]:
    inherited = {name: photo[name] for name in INHERITED if name in photo and not pd.isna(photo[name])}
    measured = {name: value for name, value in variant.items() if name != "bytes"}
    return {**inherited, **measured, "mask_from": "synthetic", "mask_confidence": 1.0}


def _write_preview(outcomes: Iterable[Mapping[str, Any]], out: Path) -> None:
    rows = [[_tile(variant, out) for variant in outcome["variants"]] for outcome in outcomes if outcome["variants"]]
    with atomic_write(out / PREVIEW) as temporary:
        contact_sheet(rows).save(temporary, format="JPEG", quality=88)


def _tile(variant: Mapping[str, Any], out: Path) -> Tile:
    style = variant.get("wear_style") or variant["mask"]
    kind = variant.get("mask_type", "")
    return Tile(out / variant["path"], f"{style} {kind}".strip(), PurePosixPath(variant["path"]).name)

"""What masking works on: the photos of a manifest or a folder, with what is known of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from datasets.errors import LayoutError
from datasets.identities import People, read_people
from datasets.licences import check_licence
from datasets.manifest import MANIFEST, REFUSALS, make_refusals, manifest_file, read_manifest, read_refusals
from datasets.readers.base import Record
from datasets.readers.folder import INFO as FOLDER_INFO
from datasets.readers.folder import read as read_folder
from datasets.refusals import Refusal
from pipelines.errors import SettingsError
from pipelines.variant_files import make_tasks
from synth.balance import ClassGoal
from synth.plans import AssignedPlan
from synth.run import STAGE, PhotoTask


@dataclass(frozen=True)
class MaskInput:
    """Photos to mask.

    Attributes:
        tasks: One a photo.
        rows: Each photo's manifest columns, by photo id.
        refused: What was refused before, as a refusals table.
        assigned: Stands for the plan that gave each task its own variants; None without such a plan.
        goals: What that plan was made for.
        not_needed: Photos that it gives no variant.
        people: Who is known by several person ids; their folds are the photos', and variants have none of their own.
    """

    tasks: list[PhotoTask]
    rows: Mapping[str, Mapping[str, Any]]
    refused: pd.DataFrame = field(default_factory=lambda: make_refusals([]))
    assigned: AssignedPlan | None = None
    goals: tuple[ClassGoal, ...] = ()
    not_needed: int = 0
    people: People = field(default_factory=People)

    @property
    def planned(self) -> int | None:
        """Variants that the tasks' own plans ask for; None where they have none."""
        if self.assigned is None:
            return None
        return sum(task.plan.per_photo for task in self.tasks if task.plan is not None)

    def still_short(self, made: pd.DataFrame) -> dict[str, int]:
        """Return how many photos each class lacks to its target with these variants, of those that lack any."""
        counts = made.groupby(["mask", "gender", "age_group"]).size().to_dict() if len(made) else {}
        lacking = {
            str(goal.of): goal.target - goal.present - counts.get((goal.of.mask, goal.of.gender, goal.of.age_group), 0)
            for goal in self.goals
        }
        return {name: count for name, count in lacking.items() if count > 0}


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
    return replace(_bare_faces(paths, rows, before), people=People(read_people(folder).same))


def photos_at(photos: Path, labels: Path | None, licence: str | None, name: str | None) -> MaskInput:
    """Take a folder's photos; or a manifest's, whose labels would be lost if its folder were taken for one of photos.

    Args:
        photos: The folder, or the manifest.
        labels, licence, name: Of a folder, see `photos_of_folder`.

    Raises:
        DatasetsError: Neither can be read.
        SettingsError: Labels, a licence or a name are given for a manifest.
    """
    if manifest_file(photos).name != MANIFEST or not manifest_file(photos).is_file():
        return photos_of_folder(photos, labels, licence, name)
    if labels or licence or name:
        raise SettingsError(f"{photos} is a manifest, with labels of its own: leave out --labels, --licence and --name")
    return photos_of_manifest(photos)


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

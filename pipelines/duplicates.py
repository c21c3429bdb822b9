"""The duplicates stage: photos of several manifests that show the same picture, or the same person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import SettingsError
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.faces import Embedder

FINGERPRINTS = "fingerprints.npz"
SAME_PERSON = 0.28
"""Greatest distance between embeddings that is taken for one person.

Measured on real photographs (`benchmarks/duplicates.py --people`): among 570 people of All-Age-Faces, who are alike to
this network (dlib's own 0.6 would join 38 pairs of 100), the two pairs that lie between copies and 0.28 show one person
each, and the next, at 0.29, two girls; of 160 people of FairFace no two lie within 0.39. Eight portraits of one woman
lie 0.10 to 0.44 apart: a quarter of her pairs are found, none of those from two occasions. So what is found can be
believed among some thousands of people, most is not found, and among very many people chance alone brings some pairs as
near: see how large the largest person is.
"""


@dataclass(frozen=True)
class DuplicatesOptions:
    """How to look.

    Attributes:
        people: Look for the same people in different pictures too; takes a face embedding a person.
        distance: Between embeddings, up to which two people are taken for one.
        workers: Processes.
    """

    people: bool = False
    distance: float = SAME_PERSON
    workers: int = 1


@dataclass(frozen=True)
class DuplicatesResult:
    """What the stage did.

    Attributes:
        table: The CSV it wrote.
        summary: Counts, plain enough for JSON.
    """

    table: Path
    summary: dict[str, Any]


def duplicates_stage(
    manifests: Sequence[Path],
    out: Path,
    options: DuplicatesOptions,
    *,
    embedder: Embedder | None = None,
    progress: ProgressCallback | None = None,
) -> DuplicatesResult:
    """Write the table of duplicates among the photos of manifests to `out`, with what couldn't be looked at.

    Args:
        manifests: Manifests, or their folders.
        out: The folder to write to; what photos look like is cached there by content.
        options: How to.
        embedder: Turns a face into numbers; dlib's network when not given.
        progress: Called with (done, all), first of photos opened, then of pairs compared, then of faces embedded.

    Raises:
        SettingsError: The folder holds a manifest, whose refusals would be replaced.
        DatasetsError: A manifest is not there, or none, or two name different photos alike.
        ModelsError: The embedding model is not installed.
    """
    import pandas as pd

    from datasets.duplicates.find import Reporting, find_duplicates
    from datasets.duplicates.table import make_duplicates, write_duplicates
    from datasets.manifest import write_refusals

    _check_apart(manifests, out)
    reporting = Reporting(progress, progress)
    found = find_duplicates(manifests, cache=out / FINGERPRINTS, workers=options.workers, reporting=reporting)
    table, refusals = found.table, [found.refusals]
    if options.people:
        rows, refused = _same_people(found.photos, out, options, embedder, progress)
        known: list[dict[Any, Any]] = table.to_dict("records")
        linked = {(row["first"], row["second"]) for row in known}
        table = make_duplicates([*known, *(row for row in rows if (row["first"], row["second"]) not in linked)])
        refusals.append(refused)
    write_refusals(pd.concat(refusals, ignore_index=True), out)
    summary = {"photos": len(found.photos), "compared_pairs": found.candidates, **summarise_duplicates(table)}
    return DuplicatesResult(write_duplicates(table, out), summary)


def _check_apart(manifests: Sequence[Path], out: Path) -> None:
    from datasets.manifest import MANIFEST, manifest_file

    given = {manifest_file(path).resolve().parent for path in manifests}
    if out.resolve() in given or (out / MANIFEST).is_file():
        raise SettingsError(f"{out} holds a manifest, whose refusals.csv would be replaced: choose another folder")


def summarise_duplicates(table: pd.DataFrame) -> dict[str, Any]:
    """Count a table of duplicates.

    Returns:
        `pairs` by kind, `mirrored`, `conflicts` (pairs whose labels contradict each other) by kind, `joined_people`
        (person ids that turn out to be somebody else's) and `largest_person` (person ids that are one person).
    """
    from datasets.identities import join_people

    same = join_people(zip(table["first_person"].tolist(), table["second_person"].tolist(), strict=True))
    conflicts = table[table["conflict"] != ""]
    return {
        "mirrored": int(table["mirrored"].sum()),
        "joined_people": len(same),
        "largest_person": max(Counter(same.values()).values(), default=0) + 1 if same else 0,
        "pairs": {str(kind): int(count) for kind, count in table["kind"].value_counts().sort_index().items()},
        "conflicts": {str(kind): int(count) for kind, count in conflicts["kind"].value_counts().sort_index().items()},
    }


def faces_to_embed(photos: pd.DataFrame) -> pd.DataFrame:
    """Return one photo a person, the first that shows a bare face as far as known; masked faces tell too little."""
    from datasets.manifest import without_mask

    bare = photos[without_mask(photos)]
    return bare.sort_values("photo_id").drop_duplicates("person_id")


def _same_people(
    photos: pd.DataFrame,
    out: Path,
    options: DuplicatesOptions,
    embedder: Embedder | None,
    progress: ProgressCallback | None,
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Return a row for each pair of people whose faces are near, and refusals of faces that couldn't be embedded."""
    import numpy as np

    from datasets.duplicates.find import FILE, pair_row
    from datasets.duplicates.persons import near_faces
    from datasets.manifest import make_refusals
    from pipelines.faces import CACHE, embed_photos

    chosen = faces_to_embed(photos)
    files = [Path(file) for file in chosen[FILE].tolist()]
    found = embed_photos(chosen, files, embedder, cache=out / CACHE, workers=options.workers, progress=progress)
    chosen = chosen[chosen["photo_id"].isin(list(found.embeddings))]
    if chosen.empty:
        return [], make_refusals(found.refusals)
    rows = chosen.to_dict("records")
    faces = np.stack([found.embeddings[row["photo_id"]] for row in rows])
    pairs, distances = near_faces(faces, chosen["person_id"].to_numpy(dtype=object), options.distance)
    named = zip(pairs.tolist(), distances.tolist(), strict=True)
    return [pair_row("same_person", rows[a], rows[b], score) for (a, b), score in named], make_refusals(found.refusals)

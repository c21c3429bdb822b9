"""What stages share that write several manifests anew: read together, their faces embedded, each saved by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import SettingsError
from pipelines.types import PhotoPlacing, ProgressCallback

if TYPE_CHECKING:
    import pandas as pd

    from datasets.identities import People
    from pipelines.faces import Embedder


@dataclass(frozen=True, eq=False)
class Given:
    """A manifest as it is given, with what lies beside it.

    Attributes:
        folder: Its folder.
        rows: Of the manifest.
        refusals: Beside it.
        people: Likewise, where a merge left it.
        provenance: How it came to be.
    """

    folder: Path
    rows: pd.DataFrame
    refusals: pd.DataFrame
    people: People
    provenance: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Several manifests, each read once.

    Attributes:
        given: Each by its name.
        whole: The rows of all, in their order.
    """

    given: Mapping[str, Given]
    whole: pd.DataFrame

    def persons(self) -> pd.Series[Any]:
        """Return each row's person, in `whole`'s order: whom copies of a file or a merge show to be one are one."""
        from datasets.identities import join_people, links_of_files, with_identities

        links = links_of_files(self.whole)
        for each in self.given.values():
            links += each.people.same.items()
        return with_identities(self.whole["person_id"], join_people(links))

    def files(self, photo_ids: Iterable[str]) -> dict[str, Path]:
        """Return where photos lie, by their ids."""
        wanted = set(photo_ids)
        places: dict[str, Path] = {}
        for each in self.given.values():
            rows = each.rows[each.rows["photo_id"].isin(wanted)]
            named = zip(rows["photo_id"].tolist(), rows["path"].tolist(), strict=True)
            places |= {photo_id: each.folder / path for photo_id, path in named}
        return places


def name_manifests(paths: Sequence[Path]) -> dict[str, Path]:
    """Return the manifests by a name for each: its folder's, with a number after it where that is taken.

    Raises:
        SettingsError: One manifest is given twice.
    """
    from datasets.manifest import manifest_file

    named: dict[str, Path] = {}
    files = set()
    for path in paths:
        file = manifest_file(path).resolve()
        if file in files:
            raise SettingsError(f"{path} is given twice")
        files.add(file)
        name = folder = file.parent.name or "manifest"
        number = 1
        while name in named:
            number += 1
            name = f"{folder}-{number}"
        named[name] = path
    return named


def read_apart(inputs: Mapping[str, Path], out: Path) -> Inputs:
    """Read manifests that are to be written anew.

    Args:
        inputs: Manifests by name.
        out: Where each is to be written anew, in a folder of its name.

    Raises:
        SettingsError: Two inputs hold photos of the same id, or an input lies where a new manifest would go.
    """
    import pandas as pd

    _check_apart(inputs, out)
    given = {name: _read(path) for name, path in inputs.items()}
    whole = pd.concat([each.rows for each in given.values()], ignore_index=True)
    _check_ids(whole)
    return Inputs(given, whole)


def _read(path: Path) -> Given:
    from datasets.identities import read_people
    from datasets.manifest import manifest_file, read_manifest, read_provenance, read_refusals

    folder = manifest_file(path).parent
    return Given(folder, read_manifest(path), read_refusals(folder), read_people(folder), read_provenance(path))


def _check_apart(inputs: Mapping[str, Path], out: Path) -> None:
    """Check that no input lies where any of the new manifests would go, its own or another's."""
    from datasets.manifest import manifest_file

    folders = {manifest_file(path).resolve().parent: path for path in inputs.values()}
    for name in inputs:
        there = folders.get((out / name).resolve())
        if there is not None:
            raise SettingsError(
                f"{there} is an input and would be replaced, since {out / name} is written to: "
                "name another output folder"
            )


def _check_ids(frame: pd.DataFrame) -> None:
    doubled = frame.loc[frame["photo_id"].duplicated(), "photo_id"]
    if len(doubled):
        raise SettingsError(
            f"{len(doubled)} photo ids are in more than one manifest, the first is {doubled.iloc[0]!r}: "
            "ingest one of the folders under another name (option name)"
        )


def embed_wanted(
    inputs: Inputs,
    wanted: set[str],
    out: Path,
    workers: int,
    embedder: Embedder | None,
    progress: ProgressCallback | None,
    cache: str | None = None,
) -> tuple[dict[str, Any], dict[str, int]]:
    """Embed the faces of some photos of several manifests.

    Args:
        inputs: The manifests.
        wanted: Ids of the photos.
        out: The stage's folder. The embeddings' cache lies in it, one a stage: a stage writes nothing outside its
            folder, and two of them at work at once never replace each other's.
        workers: Processes.
        embedder: Turns a face into numbers; dlib's network when not given.
        progress: Called with (photos embedded, photos to embed).
        cache: The cache's file in `out`; `pipelines.faces.CACHE` when not given.

    Returns:
        (D,) floats by photo id, and how many photos have none, by reason.

    Raises:
        ModelsError: The embedding model is not installed.
    """
    from pipelines.faces import CACHE, embed_photos

    photos, places = inputs.whole[inputs.whole["photo_id"].isin(wanted)], inputs.files(wanted)
    files = [places[photo_id] for photo_id in photos["photo_id"].tolist()]
    found = embed_photos(photos, files, embedder, cache=out / (cache or CACHE), workers=workers, progress=progress)
    return found.embeddings, dict(Counter(refusal.reason for refusal in found.refusals))


def rewrite(inputs: Inputs, changed: pd.DataFrame, out: Path, photos: PhotoPlacing) -> dict[str, Path]:
    """Write manifests anew, each to `out/<name>` with its photos, and what lay beside it.

    Args:
        inputs: The manifests as they were.
        changed: The rows of all of them as they are now.
        out: The folder.
        photos: How photos get beside the new manifests.

    Returns:
        The new manifests, by name.
    """
    from datasets.identities import carry_people
    from datasets.readers import Ingested, save_ingest

    rows = changed.set_index("photo_id", drop=False)
    manifests = {}
    for name, given in inputs.given.items():
        frame = rows.loc[given.rows["photo_id"].tolist()].reset_index(drop=True)
        carry_people(given.people, out / name)
        rewritten = Ingested(frame, given.refusals, given.folder, given.provenance)
        manifests[name] = save_ingest(rewritten, out / name, photos)
    return manifests

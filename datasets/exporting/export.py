"""Exporting a manifest: photos under names of their own, one table beside them, and what each form adds to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pandas as pd

from datasets.atomic import atomic_write
from datasets.card import CARD, data_card
from datasets.errors import UsageError
from datasets.exporting.about import About, missing_properties
from datasets.exporting.croissant import CROISSANT, croissant, dump
from datasets.exporting.imagefolder import README, dataset_readme
from datasets.exporting.ledger import check_folder, read_ledger, remove, write_ledger
from datasets.labels import N_LABELS, label_name
from datasets.manifest import REFUSALS, manifest_file, read_manifest, read_refusals, write_refusals
from datasets.placing import place_as
from datasets.wording import counted

FORMS: Final = ("imagefolder", "croissant")
METADATA: Final = "metadata.csv"
TRAIN: Final = "train"
VALIDATION: Final = "validation"
STAGE: Final = "export"
_NAMES: Final = {label: label_name(label) for label in range(N_LABELS)}

_COLUMNS: Final = (
    *("photo_id", "person_id", "mask", "gender", "age", "age_group", "label"),
    *("mask_from", "gender_from", "age_from", "mask_confidence", "gender_confidence", "age_confidence"),
    *("mask_type", "wear_style", "nose_covered", "mouth_covered", "chin_covered"),
    *("parent_id", "fold", "source", "licence", "width", "height", "sha256"),
)


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        folder: Where it is.
        splits: Rows of each split.
        refusals: Photos that aren't there.
        missing: Properties that Croissant asks for and nothing was given for; empty for other forms.
    """

    folder: Path
    splits: Mapping[str, int]
    refusals: pd.DataFrame
    missing: tuple[str, ...] = ()


def export(
    manifest: Path, out: Path, *, form: str, validation_fold: int | None = None, copy: bool = False, about: About
) -> Exported:
    """Writes a manifest and its photos in another form.

    Photos get names from their content (`<2>/<20 hex digits>.jpg`): no path of a source stays in them, since those hold
    labels and people's keys, and words such as `train` that loaders take for a split. `photo_id` says where each came
    from. The same manifest gives the same bytes.

    Args:
        manifest: The Parquet file, or its folder.
        out: A folder that is empty, or holds an earlier export, which this one takes the place of: of what that one
            wrote nothing stays that isn't of this one.
        form: One of FORMS.
        validation_fold: The fold that becomes the split `validation`; all rows are `train` when None.
        copy: Copies photos instead of linking them.
        about: What the dataset is called, where it is published and by whom.

    Returns:
        What was written.

    Raises:
        UsageError: If the form or the fold isn't known, the manifest's card isn't text, or `out` holds what no export
            wrote.
        ManifestError: If there is no valid manifest.
        OutputError: If something can't be written.
    """
    if form not in FORMS:
        raise UsageError(f"unknown form {form!r}; known: {', '.join(FORMS)}")
    root = manifest_file(Path(manifest)).parent
    frame = read_manifest(manifest).sort_values("photo_id", ignore_index=True)
    splits = _splits(frame, validation_fold)
    paths = [f"{split}/{name}" for split, name in zip(splits, _names(frame), strict=True)]
    card = _card(root, frame)
    earlier = read_ledger(out)
    check_folder(out, earlier)
    _check_apart(frame, root, out)
    # Before anything is written: an export that is cut off leaves nothing that the next one doesn't know as its own.
    write_ledger(earlier.union(paths, _texts_of(form, splits)), out)
    kept, refusals = place_as(frame, root, out, paths, copy=copy, stage=STAGE)
    split_of = dict(zip(paths, splits, strict=True))
    kept_splits = kept["path"].map(split_of)
    texts = _texts(form, kept, kept_splits, card + _less(refusals), about)
    for name, text in texts.items():
        with atomic_write(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    write_refusals(refusals, out)
    written = {*kept["path"].tolist(), *texts, REFUSALS}
    remove(earlier - written, out)
    write_ledger(written, out)
    counts = {str(name): int(count) for name, count in kept_splits.value_counts().sort_index().items()}
    return Exported(out, counts, refusals, missing_properties(about) if form == "croissant" else ())


def _splits(frame: pd.DataFrame, validation_fold: int | None) -> list[str]:
    if validation_fold is None:
        return [TRAIN] * len(frame)
    folds = sorted({int(fold) for fold in frame["fold"].dropna().unique()})
    if validation_fold not in folds:
        told = ", ".join(map(str, folds)) or "none: merge makes them"
        raise UsageError(f"no fold {validation_fold} to validate on; folds there are {told}")
    return [VALIDATION if fold == validation_fold else TRAIN for fold in frame["fold"].fillna(-1).tolist()]


def _names(frame: pd.DataFrame) -> list[str]:
    """Names by content; where two rows share a file's bytes, the later ones are numbered."""
    seen: dict[str, int] = {}
    names = []
    for path, digits in zip(frame["path"].tolist(), frame["sha256"].str[:20].tolist(), strict=True):
        again = seen.get(digits, 0)
        seen[digits] = again + 1
        tail = f"-{again}" if again else ""
        names.append(f"{digits[:2]}/{digits}{tail}{PurePosixPath(path).suffix.lower()}")
    return names


def _texts_of(form: str, splits: list[str]) -> set[str]:
    extra = README if form == "imagefolder" else CROISSANT
    tables = {f"{split}/{METADATA}" for split in set(splits)} if form == "imagefolder" else {METADATA}
    return {extra, REFUSALS, CARD, *tables}


def _check_apart(frame: pd.DataFrame, root: Path, out: Path) -> None:
    """Makes sure that the manifest's own photos don't lie where they are exported to: an export may remove those."""
    source, target = root.resolve(), out.resolve()
    if not target.is_relative_to(source):
        return
    within = f"{target.relative_to(source).as_posix()}/"
    if frame["path"].str.startswith(within).any():
        raise UsageError(f"{out} holds the manifest's own photos: name another folder to export to")


def _card(root: Path, frame: pd.DataFrame) -> str:
    """The card that the merge wrote, or one made now, which can't tell what the merge left out."""
    file = root / CARD
    if not file.is_file():
        return data_card(frame, refusals=read_refusals(root))
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} isn't UTF-8 text: save it as such, or remove it to have one made anew") from error
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror or error}") from error


def _less(refusals: pd.DataFrame) -> str:
    """What a card of the whole manifest doesn't say of an export that lacks some of it."""
    if refusals.empty:
        return ""
    told = counted(len(refusals), "row of the manifest, counted above, is", "rows of the manifest, counted above, are")
    return f"\n## In this folder\n\n{told} missing here; the `refusals.csv` in this folder says why.\n"


def _texts(form: str, kept: pd.DataFrame, splits: pd.Series[str], card: str, about: About) -> dict[str, str]:
    if form == "imagefolder":
        tables = {
            f"{split}/{METADATA}": _csv(part, f"{split}/") for split, part in kept.groupby(splits.to_numpy(), sort=True)
        }
        readme = dataset_readme(kept, sorted(splits.unique().tolist()), card, about.name)
        return {**tables, README: readme, CARD: card}
    table = _csv(kept, "", splits)
    return {METADATA: table, CROISSANT: dump(croissant(kept, table, about)), CARD: card}


def _csv(frame: pd.DataFrame, prefix: str, splits: pd.Series[Any] | None = None) -> str:
    """The table of photos: `file_name` first, `class` in words, everything else as the manifest has it."""
    table = frame[list(_COLUMNS)].copy()
    table.insert(0, "file_name", frame["path"].str.removeprefix(prefix))
    table.insert(list(table.columns).index("label") + 1, "class", frame["label"].map(_NAMES))
    if splits is not None:
        table.insert(1, "split", splits.to_numpy())
    return str(table.to_csv(index=False, lineterminator="\n"))

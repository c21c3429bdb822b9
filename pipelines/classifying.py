"""What a classifier says of single photos, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import MissingInputError, SettingsError
from pipelines.predicting_faces import faces_finder
from pipelines.types import ProgressCallback

if TYPE_CHECKING:
    from datasets.refusals import Refusal
    from models.answering import TeamAnswers
    from models.data import Examples
    from models.settings import Device, Tta
    from models.team import Team

STAGE = "classify"


@dataclass(frozen=True)
class Classified:
    """What came of classifying photos.

    Attributes:
        photos: Of each photo that could be read, in order: `photo`, `label` (0..17) and `class` (None where the model
            lacks a head), `mask`, `gender`, `age_group` (those it answers), `chances` (of each word, by head; and of
            the classes, under `class`), and `years` where the model gives them.
        refusals: Of the others.
        sheet: Of the photos with what the classifier looks at laid over them; None where it wasn't asked for.
    """

    photos: tuple[dict[str, Any], ...]
    refusals: tuple[Refusal, ...]
    sheet: Path | None = None


def classify(
    run: Path,
    given: Sequence[Path],
    *,
    device: Device = "auto",
    tta: Tta = "none",
    batch_size: int = 64,
    workers: int = -1,
    show: Path | None = None,
    progress: ProgressCallback | None = None,
) -> Classified:
    """Ask a classifier about photos.

    Args:
        run: A checkpoint, a team.json, the folder of either, or an ONNX file.
        given: Photos, and folders of them.
        device: auto, cpu or cuda.
        tta: Views of each photo to average over.
        batch_size: Photos at once.
        workers: Processes that read photos; -1 chooses.
        show: A JPEG to write: the photos that fit a page, each beside what the classifier looks at (Grad-CAM).
        progress: Called with (photos done, photos in all).

    Raises:
        MissingInputError: There is no photo in what was given.
        ModelsError: The run is not usable.
        SettingsError: `show` is asked for of an ONNX file, which has no gradients.
        OutputError: The sheet can't be written.
    """
    from models.data import Examples
    from models.onnx_model import open_model, with_faces
    from models.team import Team

    named, refusals = _listed(given)
    if not named and not refusals:
        raise MissingInputError(f"no photos in {', '.join(map(str, given))}: give photos, or folders that hold some")
    model = open_model(run)
    if show is not None and not isinstance(model, Team):
        raise SettingsError(f"{run} can't show what it looks at: give the run that it was exported from")
    examples = Examples.unlabelled([path for path, _ in named], [name for _, name in named])
    examples = with_faces(model, examples, faces_finder(None, workers))
    said = model.answer(
        examples, device=device, workers=workers, batch_size=batch_size, tta=tta, stage=STAGE, progress=progress
    )
    photos = tuple(_in_words(said, [name for _, name in named]))
    if show is not None and isinstance(model, Team):
        _show(model, examples, said, photos, show, device)
    return Classified(photos, (*refusals, *said.refusals), show)


def _show(
    team: Team, examples: Examples, said: TeamAnswers, photos: Sequence[dict[str, Any]], file: Path, device: Device
) -> None:
    """Write the sheet: four photos a row, each followed by the same with what speaks for the answer."""
    import numpy as np

    from models.data import Examples
    from pipelines.contact_sheets import in_rows, photo_tile, save_sheet
    from pipelines.overlays import explained
    from synth.sheet import MAX_COLUMNS, MAX_ROWS, Tile

    shown = said.index[: MAX_ROWS * MAX_COLUMNS // 2]
    codes = np.full((len(examples), said.codes.shape[1]), -1, dtype=np.int64)
    codes[said.index] = said.codes
    part = Examples.unlabelled([examples.paths[row] for row in shown], [examples.photo_ids[row] for row in shown])
    if examples.boxes is not None:
        part = replace(part, boxes=examples.boxes[shown])
    pictures = explained(team, part, codes[shown], device=device)
    tiles = []
    for at, row in enumerate(shown):
        words = photos[at]
        told = "/".join(words[head] for head in ("mask", "gender", "age_group") if head in words)
        tiles.append(photo_tile(examples.paths[row], Path(words["photo"]).name, told))
        if at in pictures:
            tiles.append(Tile(pictures[at], "what speaks for it", ""))
    save_sheet(in_rows(tiles, MAX_COLUMNS), file)


def _listed(given: Sequence[Path]) -> tuple[list[tuple[Path, str]], list[Refusal]]:
    """The photos with what to call them, and refusals of what no photo can be."""
    from datasets.finding import find_photos
    from datasets.refusals import printable

    named, refusals = [], []
    for path in given:
        if not path.is_dir():
            named.append((path, printable(str(path))))
            continue
        photos, refused = find_photos(path)
        named += [(photo.path, printable(str(path / photo.relative))) for photo in photos]
        refusals += [replace(each, photo_id=printable(str(path / each.photo_id)), stage=STAGE) for each in refused]
    return named, refusals


def _in_words(said: TeamAnswers, names: Sequence[str]) -> list[dict[str, Any]]:
    from datasets.labels import AXES, N_LABELS, label_name
    from models.heads import MISSING, to_labels

    labels, chances = to_labels(said.codes), said.chances
    photos = []
    for at, row in enumerate(said.index):
        label = int(labels[at])
        photo: dict[str, Any] = {
            "photo": names[row],
            "label": None if label == MISSING else label,
            "class": None if label == MISSING else label_name(label),
        }
        told: dict[str, dict[str, float]] = {}
        for column, (head, words) in enumerate(AXES.items()):
            if head in chances.heads:
                photo[head] = words[said.codes[at, column]]
                told[head] = dict(zip(words, map(float, chances.heads[head][at]), strict=True))
        if chances.label is not None:
            told["class"] = {label_name(each): float(chances.label[at, each]) for each in range(N_LABELS)}
        photo["chances"] = told
        if chances.years is not None:
            photo["years"] = float(chances.years[at])
        photos.append(photo)
    return photos

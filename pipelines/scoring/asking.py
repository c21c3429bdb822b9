"""A checkpoint or team asked about the people of a fold, for those that have no out-of-fold table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.errors import MissingInputError, SettingsError
from pipelines.scoring.inputs import Scored, matched

if TYPE_CHECKING:
    from models.oof import OutOfFold
    from models.settings import Device, TrainSettings
    from models.team import Team
    from pipelines.types import ProgressCallback

METRICS = "metrics.json"


def ask_checkpoint(
    what: Path,
    against: Path | None,
    fold: int | None,
    device: Device,
    workers: int,
    progress: ProgressCallback | None,
) -> Scored:
    """Answers of a checkpoint or team to the people of a fold; the arguments are those of `open_scored`."""
    from models.splits import split_manifest
    from models.team import open_run

    if against is None:
        raise MissingInputError(f"{what} needs people to ask it about: palette score CHECKPOINT MANIFEST")
    team = open_run(what)
    settings = _settings_of(what, team, fold)
    splits = split_manifest(against, settings, to_learn=False)
    tables = []
    for examples in (splits.real, splits.synthetic):
        if len(examples):
            said = team.answer(examples, device=device, workers=workers, stage="score", progress=progress)
            tables.append((examples, said))
    answered = [(examples, said) for examples, said in tables if len(said.index)]
    if not answered:
        raise MissingInputError(f"none of the photos of fold {settings.fold} could be read: is {against} beside them?")
    table = _joined(answered, settings.fold)
    refused = sum(len(said.refusals) for _, said in tables)
    unread = (f"{refused} photos could not be read and don't count.",) if refused else ()
    rows, root = matched(against, table.photo_ids)
    place = {
        examples.photo_ids[row]: codes
        for examples, said in answered
        for row, codes in zip(said.index, said.codes, strict=True)
    }
    return Scored(
        said=f"{what.name} on the people of fold {settings.fold} of {against.name}",
        photo_ids=table.photo_ids,
        truth=table.truth,
        answers=np.stack([place[each] for each in table.photo_ids]),
        synthetic=table.synthetic,
        chances=table.chances,
        folds=table.folds,
        rows=rows,
        root=root,
        checkpoints={settings.fold: tuple({each.group: each.checkpoint for each in reversed(team.members)}.values())},
        notes=(*_doubts(team, settings.fold), *unread),
    )


def _joined(answered: Sequence[tuple[Any, Any]], fold: int) -> OutOfFold:
    from models.oof import OutOfFold, joined

    return joined(
        [
            OutOfFold(
                tuple(examples.photo_ids[row] for row in said.index),
                np.full(len(said.index), fold, dtype=np.int64),
                examples.synthetic[said.index],
                examples.codes[said.index],
                said.chances,
            )
            for examples, said in answered
        ]
    )


def _settings_of(what: Path, team: Team, fold: int | None) -> TrainSettings:
    """What splits a manifest as the models' training did, as far as the figures beside them tell."""
    from models.settings import TrainSettings

    folder = what if what.is_dir() else what.parent
    told = _told_in(folder)
    held_out = told.get("fold") if fold is None else fold
    if held_out is None:
        raise SettingsError(f"{folder / METRICS} doesn't say which fold {what.name} hasn't seen: name it with --fold")
    seed = (told or _told_in(team.members[0].checkpoint.parent)).get("seed", TrainSettings.seed)
    return TrainSettings(
        head="triple",
        parts=",".join(team.heads),
        crop="face" if team.needs_faces else "middle",
        fold=held_out,
        seed=seed,
    )


def _told_in(folder: Path) -> dict[str, int]:
    """The fold and the seed that the figures in a folder say its training had."""
    try:
        told = json.loads((folder / METRICS).read_text(encoding="utf-8"))["settings"]
        return {name: int(told[name]) for name in ("fold", "seed") if name in told}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _doubts(team: Team, fold: int) -> tuple[str, ...]:
    """What speaks against figures of a fold: models that held out another one, or don't say which."""
    held_out = [_told_in(member.checkpoint.parent).get("fold") for member in team.members]
    others = [each for each in held_out if each is not None and each != fold]
    unknown = held_out.count(None)
    notes = []
    if others:
        who = "The model was" if len(held_out) == 1 else f"{len(others)} of the {len(held_out)} models were"
        folds = ", ".join(map(str, sorted(set(others))))
        notes.append(
            f"{who} trained with fold {folds} held out: if that was on this manifest, these are people that were "
            f"learned from, and the figures say nothing of others. Leave out --fold, or name fold {folds}."
        )
    if unknown:
        who = "the model" if len(held_out) == 1 else f"{unknown} of the {len(held_out)} models"
        notes.append(
            f"No {METRICS} says which fold {who} held out in training: if it wasn't fold {fold} of this manifest, "
            "the figures may be of people that were learned from."
        )
    return tuple(notes)

"""What a team says of photos: each member in every view, averaged over views, folds and groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from datasets.refusals import Refusal
from models.blending import codes_of
from models.chances import Chances, mean_of
from models.checkpoint import load_checkpoint, read_config
from models.data import unique_refusals
from models.devices import choose_device, choose_workers
from models.inference import Answers, Asked, Progress, Reading, answer_all

if TYPE_CHECKING:
    import torch

    from models.data import Examples
    from models.settings import Crop, Device, Tta
    from models.team import Member, Team


LOADED: Final = 1 << 30
"""Bytes of checkpoints that are held in memory together, so that a photo is read once for all of them."""


@dataclass(frozen=True, eq=False)
class TeamAnswers:
    """What a team said.

    Attributes:
        index: (M,) rows of the examples that could be read, in order.
        chances: of those M, before cut-offs.
        codes: (M, 3) int64 of `models.heads`, after cut-offs; -1 where nobody answers.
        refusals: of the photos that could not be read, each once.
    """

    index: NDArray[np.int64]
    chances: Chances
    codes: NDArray[np.int64]
    refusals: tuple[Refusal, ...]


def answer_together(
    team: Team,
    examples: Examples,
    *,
    device: Device,
    workers: int,
    batch_size: int,
    tta: Tta,
    stage: str,
    progress: Progress | None,
) -> TeamAnswers:
    """Asks a team; `Team.answer` says what the arguments are.

    Members that see photos alike go over them together as far as memory allows, and are let go before the next come.
    """
    where = choose_device(device)
    counted = set(team.blend.needed(team.groups))
    members = [member for member in team.members if member.group in counted]
    seen = [_seen_by(member, batch_size, workers, where) for member in members]
    passes = list(_passes(members, seen))
    said: dict[int, Answers] = {}
    for done, ((reading, crop), positions) in enumerate(passes):
        cut = examples if crop == "face" else replace(examples, boxes=None)
        asked = [_load(members[at], where) for at in positions]
        told = _part(progress, done, len(passes))
        answers = answer_all(asked, cut, reading, where, stage=stage, tta=tta, progress=told)
        said |= dict(zip(positions, answers, strict=True))
    return _together(team, members, [said[at] for at in range(len(members))])


def _seen_by(member: Member, batch_size: int, workers: int, where: torch.device) -> tuple[Reading, Crop]:
    config = read_config(member.checkpoint)
    readers = choose_workers(workers, where)
    return Reading(config.image_size, config.mean, config.std, batch_size, readers), config.crop


def _passes(
    members: Sequence[Member], readings: Sequence[tuple[Reading, Crop]]
) -> Iterator[tuple[tuple[Reading, Crop], list[int]]]:
    """The members, by position, that go over the photos together."""
    for reading in dict.fromkeys(readings):
        together: list[int] = []
        held = 0
        for at in (at for at, mine in enumerate(readings) if mine == reading):
            size = members[at].checkpoint.stat().st_size
            if together and held + size > LOADED:
                yield reading, together
                together, held = [], 0
            together.append(at)
            held += size
        yield reading, together


def _load(member: Member, where: torch.device) -> Asked:
    network, config = load_checkpoint(member.checkpoint)
    return Asked(network.to(where), config.layout)


def _part(progress: Progress | None, done: int, passes: int) -> Progress | None:
    """The progress of one pass as that of all."""
    if progress is None:
        return None
    return lambda photos, total: progress(done * total + photos, passes * total)


def _together(team: Team, members: Sequence[Member], said: Sequence[Answers]) -> TeamAnswers:
    """Averages over the folds of each group, then over groups; a photo counts where every member could read it."""
    index = said[0].index
    for each in said[1:]:
        index = np.intersect1d(index, each.index)
    read = [each.chances.take(np.searchsorted(each.index, index)) for each in said]
    groups: dict[str, list[Chances]] = {}
    for member, chances in zip(members, read, strict=True):
        groups.setdefault(member.group, []).append(chances)
    chances = team.blend.apply({name: mean_of(folds) for name, folds in groups.items()})
    refusals = unique_refusals(refusal for each in said for refusal in each.refusals)
    return TeamAnswers(index, chances, codes_of(chances, team.blend.cutoffs), tuple(refusals))

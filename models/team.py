"""A team: checkpoints that answer together, such as the folds of a run or an ensemble of runs, as `team.json` has it.

Members of a group, the folds of one run, are averaged first; then the groups, as `models.blending` does it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Final

from datasets.atomic import atomic_write
from models.blending import Blend, blend_from
from models.checkpoint import CheckpointConfig, read_config
from models.errors import ModelsError, TeamError
from models.heads import HEADS
from models.settings import Device, Tta

if TYPE_CHECKING:
    from models.answering import TeamAnswers
    from models.data import Examples
    from models.inference import Progress


TEAM: Final = "team.json"
CHECKPOINT: Final = "model.safetensors"
FORMAT: Final = 1

_FIELDS: Final = ("members", "how", "weights", "stacking", "cutoffs")
_MEMBER: Final = ("checkpoint", "sha256", "group")
_TAKEN_IN: Final = "members"


@dataclass(frozen=True)
class Member:
    """One checkpoint of a team.

    Attributes:
        checkpoint: where its safetensors file lies.
        sha256: of that file's bytes, 64 hex digits.
        group: the run that it is a fold of.
    """

    checkpoint: Path
    sha256: str
    group: str


@dataclass(frozen=True)
class Team:
    """Checkpoints that answer together.

    Attributes:
        members: at least one, in the order they are asked.
        blend: how the answers of the groups become one, and the cut-offs.
    """

    members: tuple[Member, ...]
    blend: Blend = field(default_factory=Blend)

    def __post_init__(self) -> None:
        if not self.members:
            raise TeamError("a team has at least one member")
        self.blend.check_groups(self.groups)

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the runs, in the order of their first members."""
        return tuple(dict.fromkeys(member.group for member in self.members))

    @property
    def heads(self) -> tuple[str, ...]:
        """Which of `models.heads.HEADS` somebody answers, in their order; reads the members' descriptions."""
        counted = set(self.blend.needed(self.groups))
        answered = {
            name
            for member, config in zip(self.members, self.configs(), strict=True)
            if member.group in counted
            for name in config.parts
        }
        return tuple(name for name in HEADS if name in answered)

    @property
    def needs_faces(self) -> bool:
        """Whether a member sees squares about faces, so that examples have to come with `boxes`."""
        return any(config.crop == "face" for config in self.configs())

    @property
    def most_frequent(self) -> int:
        """The label 0..17 that is commonest where its members were trained; reads their descriptions."""
        votes = Counter(config.most_frequent for config in self.configs())
        return min(votes, key=lambda label: (-votes[label], label))

    def configs(self) -> list[CheckpointConfig]:
        """What each member is, in order.

        Raises:
            CheckpointError: one of them can't be read.
        """
        return [read_config(member.checkpoint) for member in self.members]

    def answer(
        self,
        examples: Examples,
        *,
        device: Device = "auto",
        workers: int = -1,
        batch_size: int = 64,
        tta: Tta = "none",
        stage: str = "predict",
        progress: Progress | None = None,
    ) -> TeamAnswers:
        """Asks the team what it sees in examples.

        Args:
            examples: the photos, with `boxes` where a member `needs_faces`; without a box it sees a photo's middle.
            device: `auto` takes a GPU when there is one.
            workers: processes that read photos; -1 chooses.
            batch_size: photos at once.
            tta: the views of a photo, of `models.views`, whose chances are averaged.
            stage: what refusals say they come from.
            progress: called as progress(photos done, photos), of all passes over the photos together.
        """
        from models.answering import answer_together

        return answer_together(
            self,
            examples,
            device=device,
            workers=workers,
            batch_size=batch_size,
            tta=tta,
            stage=stage,
            progress=progress,
        )


def member_of(checkpoint: Path, group: str) -> Member:
    """A checkpoint as a member, hashed as it lies there.

    Raises:
        TeamError: there is no such file.
    """
    path = Path(checkpoint)
    if not path.is_file():
        raise TeamError(f"no checkpoint at {path}: give a {CHECKPOINT} that training wrote")
    return Member(path, _sha256(path), group)


def open_run(path: Path) -> Team:
    """What training or `palette ensemble` left, as a team: a lone checkpoint is a team of one.

    Args:
        path: a checkpoint file, a `team.json`, or the folder that holds either; a folder with both is read as the team.

    Raises:
        TeamError: there is nothing of the kind, the team is broken, or a checkpoint is not the one it names.
        CheckpointError: a checkpoint can't be read.
    """
    path = Path(path)
    if path.is_dir():
        path = _in_folder(path)
    elif not path.is_file():
        raise TeamError(f"no run at {path}: give the folder that palette train or palette ensemble wrote")
    team = read_team(path) if path.suffix == ".json" else Team((member_of(path, _name_of(path)),))
    _check_heads(team)
    return team


def _in_folder(folder: Path) -> Path:
    for name in (TEAM, CHECKPOINT):
        if (folder / name).is_file():
            return folder / name
    if any(folder.glob(f"fold-*/{CHECKPOINT}")):
        raise TeamError(f"{folder} holds folds but no {TEAM}: its training was not finished; run it again to go on")
    raise TeamError(f"{folder} holds neither {CHECKPOINT} nor {TEAM}: give a folder that palette train wrote")


def _name_of(checkpoint: Path) -> str:
    return checkpoint.resolve().parent.name if checkpoint.name == CHECKPOINT else checkpoint.stem


def _check_heads(team: Team) -> None:
    """Members of a group must answer the same, and so must all that are weighed or stacked as a whole."""
    heads: dict[str, tuple[str, ...]] = {}
    for member, config in zip(team.members, team.configs(), strict=True):
        mine = tuple(config.parts)
        if heads.setdefault(member.group, mine) != mine:
            raise TeamError(
                f"{member.checkpoint} answers {', '.join(mine)}; others of its group {member.group} answer "
                f"{', '.join(heads[member.group])}: put it into a group of its own"
            )
    team.blend.check_heads(heads)


def read_team(path: Path) -> Team:
    """Reads a `team.json` and makes sure that its checkpoints are those it was written for.

    Raises:
        TeamError: the file is missing, broken or of another version, names a checkpoint that isn't inside or beside
            its folder, or one whose bytes have changed.
    """
    path = Path(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TeamError(f"{path} can't be read ({error.strerror or error})") from error
    except ValueError as error:
        raise TeamError(f"{path} is no JSON ({str(error).splitlines()[0]}): make the team again") from error
    try:
        team = _parse(values, path.resolve().parent)
    except (TypeError, ValueError, KeyError, ModelsError) as error:
        raise TeamError(f"{path} describes no team this version knows ({error}): make it again") from error
    for member in team.members:
        if not member.checkpoint.is_file():
            raise TeamError(
                f"{path} names {member.checkpoint}, which is not there: a team that was moved or copied takes along "
                "its whole folder, and the folders beside it that it names"
            )
        if _sha256(member.checkpoint) != member.sha256:
            raise TeamError(f"{member.checkpoint} is not the file that {path} was made with: make the team again")
    return team


def _parse(values: Any, folder: Path) -> Team:
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    unknown = values.keys() - {"format", *_FIELDS}
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    listed = values["members"]
    if not isinstance(listed, list):
        raise TypeError("members is no list")
    return Team(tuple(_parse_member(each, folder) for each in listed), blend_from(values))


def _parse_member(values: Any, folder: Path) -> Member:
    if (
        not isinstance(values, dict)
        or set(values) != set(_MEMBER)
        or not all(isinstance(values[n], str) for n in _MEMBER)
    ):
        raise ValueError(f"a member has the texts {', '.join(_MEMBER)}")
    if len(values["sha256"]) != 64:
        raise ValueError(f"the sha256 {values['sha256']!r}")
    if not _is_near(values["checkpoint"]):
        raise ValueError(f"the checkpoint {values['checkpoint']!r} lies neither inside nor beside its folder")
    return Member(folder / values["checkpoint"], values["sha256"], values["group"])


def _is_near(relative: str) -> bool:
    """Whether a relative path stays in the team's folder or in one beside it."""
    parts = PurePosixPath(relative).parts
    windows = PureWindowsPath(relative)
    if not parts or relative.startswith("/") or windows.drive or "\\" in relative or not relative.isprintable():
        return False
    return ".." not in parts[1:] and (parts[0] != ".." or len(parts) > 1)


def write_team(folder: Path, team: Team) -> Path:
    """Writes `team.json`, atomically; the same in gives the same bytes.

    Checkpoints inside the folder or beside it are named where they lie; others are linked or copied into its
    `members/`. Whoever moves a team moves the folders beside it that it names as well.

    Args:
        folder: of the team; made.
        team: what to write.

    Returns:
        Path of the `team.json`.

    Raises:
        OutputError: it can't be written.
    """
    folder = Path(folder)
    home = folder.resolve()
    members = [
        {"checkpoint": _place(member, home), "sha256": member.sha256, "group": member.group} for member in team.members
    ]
    values = {"format": FORMAT, "members": members, **team.blend.to_dict()}
    with atomic_write(folder / TEAM) as temporary:
        temporary.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return folder / TEAM


def _place(member: Member, home: Path) -> str:
    """The relative path of a member, after it was taken in where it lies elsewhere."""
    checkpoint = member.checkpoint.resolve()
    for root, prefix in ((home, ""), (home.parent, "../")):
        if checkpoint.is_relative_to(root):
            relative = prefix + checkpoint.relative_to(root).as_posix()
            if _is_near(relative):
                return relative
    relative = f"{_TAKEN_IN}/{member.sha256[:16]}.safetensors"
    if not (home / relative).is_file() or _sha256(home / relative) != member.sha256:
        _take_in(checkpoint, home / relative)
    return relative


def _take_in(source: Path, target: Path) -> None:
    with atomic_write(target, durable=True) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:  # another disk, or one without links
            shutil.copyfile(source, temporary)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise TeamError(f"{path} can't be read ({error.strerror or error})") from error

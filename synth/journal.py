"""The journal of a run: one line for each photo that is done, so that a killed run goes on where it was."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from synth.errors import OutputError, SynthUsageError
from synth.run import PhotoTask, file_stamp

FOLDER = ".palette"
NAME = "journal.jsonl"
IDENTITY = {"identity"}
OUTCOME = {"photo_id", "stamp", "variants", "refusals"}
"""What a journal's first line and every other must have."""


class Journal:
    """Outcomes of `synth.run.mask_photo`, kept in `<out>/.palette/journal.jsonl`.

    Args:
        out: the run's output folder.
        identity: of the run's settings (`Settings.identity`); a journal of other settings is not gone on with.
    """

    def __init__(self, out: Path, identity: str) -> None:
        self.out, self.path, self.identity = out, out / FOLDER / NAME, identity
        self._outcomes: dict[str, dict[str, Any]] = {}
        self._file: Any = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lines = self._read()
            self._outcomes = {outcome["photo_id"]: outcome for outcome in lines}
            self._file = self.path.open("a", encoding="utf-8")
            if self._file.tell() == 0:
                self._append({"identity": self.identity})
        except OSError as error:
            raise OutputError(f"cannot write to {self.out}: {error.strerror or error}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _read(self) -> list[dict[str, Any]]:
        """The whole lines; a line that a kill cut short is dropped from the file."""
        if not self.path.is_file():
            return []
        whole, length = _whole_lines(self.path)
        os.truncate(self.path, length)
        if not whole:
            return []
        if whole[0].get("identity") != self.identity:
            raise SynthUsageError(
                f"{self.out} holds a run with other options: use --overwrite to replace it, or another folder"
            )
        return whole[1:]

    def _append(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False, sort_keys=True) + "\n")
        self._file.flush()

    def record(self, outcome: dict[str, Any]) -> None:
        """Notes a finished photo; its variants must be in place.

        Raises:
            OutputError: the disk is full or the folder gone.
        """
        try:
            self._append(outcome)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}") from error
        self._outcomes[outcome["photo_id"]] = outcome

    def is_done(self, task: PhotoTask) -> bool:
        """Whether the photo was finished before, hasn't changed since, and all its variants are still there."""
        outcome = self._outcomes.get(task.photo_id)
        if outcome is None or outcome["stamp"] != file_stamp(task.path):
            return False
        wanted = [(self.out / variant["path"], variant["bytes"]) for variant in outcome["variants"]]
        return all(path.is_file() and path.stat().st_size == size for path, size in wanted)

    def drop_absent(self, tasks: Iterable[PhotoTask]) -> None:
        """Removes the variants of photos that were there in an earlier run and are not among these.

        Raises:
            SynthUsageError: not one of the photos noted so far is among them: these are other photos.
        """
        present = {task.photo_id for task in tasks}
        absent = [outcome for photo_id, outcome in self._outcomes.items() if photo_id not in present]
        if absent and len(absent) == len(self._outcomes):
            raise SynthUsageError(
                f"{self.out} holds variants of other photos: use --overwrite to replace them, or another folder"
            )
        for outcome in absent:
            for variant in outcome["variants"]:
                (self.out / variant["path"]).unlink(missing_ok=True)

    def outcomes(self, tasks: Iterable[PhotoTask]) -> list[dict[str, Any]]:
        """The outcomes of these photos, in this order."""
        return [self._outcomes[task.photo_id] for task in tasks if task.photo_id in self._outcomes]


def _whole_lines(path: Path, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
    """The records of a journal up to the first that a kill cut short or a disk garbled, and their length in bytes.

    Args:
        path: of the journal.
        most: records to read; all when None.
    """
    whole: list[dict[str, Any]] = []
    length = 0
    with path.open("rb") as file:
        for line in islice(file, most):
            try:
                record = json.loads(line)
            except ValueError:
                break
            wanted = OUTCOME if whole else IDENTITY
            if not line.endswith(b"\n") or not isinstance(record, dict) or not wanted <= record.keys():
                break
            whole.append(record)
            length += len(line)
    return whole, length


def has_journal(out: Path) -> bool:
    """Whether a run, whole or not, has left its journal in the folder."""
    return (out / FOLDER / NAME).is_file()


def recorded_identity(out: Path) -> str | None:
    """Of the settings of the run whose journal the folder holds; None where there is none, or it is garbled."""
    whole = _whole_lines(out / FOLDER / NAME, 1)[0] if has_journal(out) else []
    return str(whole[0]["identity"]) if whole else None


def recorded_variants(out: Path) -> list[str]:
    """The paths, relative to `out`, of all variants that the journal in it speaks of; empty without a journal."""
    path = out / FOLDER / NAME
    if not path.is_file():
        return []
    return [str(variant["path"]) for outcome in _whole_lines(path)[0][1:] for variant in outcome["variants"]]


@contextmanager
def run_lock(out: Path) -> Iterator[None]:
    """Keeps a second run out of an output folder while one works in it; the lock of a killed run is gone with it.

    Raises:
        SynthUsageError: another run works in the folder.
        OutputError: the folder can't be made or opened.
    """
    folder = out / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror or error}") from error
    try:
        _lock(handle, out)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SynthUsageError(f"another run is at work in {out}: wait until it is done, or end it") from error
    except OSError:  # a file system without locks: two runs at once are then the user's care
        return

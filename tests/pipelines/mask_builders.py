"""Photos on disk for the masking tests, and masking without worker processes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from datasets.portraits import Portrait
from pipelines import cli, masking

COMMAND = [sys.executable, "-c", "from pipelines.cli import main; main()"]
"""`palette`, without relying on where its script was installed."""


def in_this_process(
    function: Callable[[Any], Any], items: Sequence[Any], *, batch: int, **others: Any
) -> Iterator[list[Any]]:
    """What `pipelines.executors.stream_batches` does, without the second it takes to start a process."""
    for start in range(0, len(items), batch):
        yield [function(item) for item in items[start : start + batch]]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks in this process."""
    monkeypatch.setattr(masking, "stream_batches", in_this_process)


def save(rgb: NDArray[np.uint8] | Image.Image, path: Path, **options: Any) -> Path:
    """Writes a picture, making its folder; the suffix says how."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = rgb if isinstance(rgb, Image.Image) else Image.fromarray(rgb)
    image.save(path, **options)
    return path


def save_people(folder: Path, drawn: Sequence[Portrait], count: int = 3) -> Path:
    """Writes so many different photos of the drawn people: also mirrored, darker, and both."""
    for number in range(count):
        rgb = drawn[number % len(drawn)].rgb
        turn = number // len(drawn)
        rgb = rgb[:, ::-1] if turn & 1 else rgb
        save((rgb * (1 - 0.2 * (turn // 2))).astype(np.uint8), folder / f"p{number:02d}.png")
    return folder


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


def palette(*arguments: object) -> Done:
    """Runs a command in this process."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.run([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


def results(folder: Path) -> dict[str, bytes]:
    """All that a run left for its user: every file but the journal's folder, by relative path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    relative = ((path.relative_to(folder).as_posix(), path) for path in found)
    return {name: path.read_bytes() for name, path in relative if not name.startswith(".palette/")}

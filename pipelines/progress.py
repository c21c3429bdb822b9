"""A progress bar on stderr, handed to the rooms as the plain callback `progress(done, total)`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pipelines.processes import rank
from pipelines.types import ProgressCallback

__all__ = ["ProgressCallback", "RateColumn", "progress_bar"]


class RateColumn(ProgressColumn):
    """Items per second since the bar was last quick enough to know, e.g. `31.4 photos/s`."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Return the rate, or a dash before there is one."""
        speed = task.finished_speed or task.speed
        return Text("-" if speed is None else f"{speed:.1f} {self.unit}/s", style="progress.data.speed")


def _columns(unit: str) -> list[ProgressColumn]:
    return [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    ]


@contextmanager
def progress_bar(
    description: str, unit: str = "photos", *, console: Console | None = None
) -> Iterator[ProgressCallback]:
    """Show a bar with rate and time left while the block runs.

    Args:
        description: What is being done, e.g. `masking`.
        unit: What is counted, in the plural.
        console: Where to draw; stderr when not given, so that stdout stays clean for summaries.

    Yields:
        A callback taking (done, total), both counts of `unit`; totals may change between calls.
        Nothing is drawn when the console is not a terminal, nor by any but the first of several processes.
    """
    console = console or Console(stderr=True)
    with Progress(*_columns(unit), console=console, disable=not console.is_terminal or rank() > 0) as bar:
        task = bar.add_task(description, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report

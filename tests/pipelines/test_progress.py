"""The progress bar: on a terminal only, and with a rate."""

from __future__ import annotations

import io

from rich.console import Console

from pipelines.progress import progress_bar


def drawn(*, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=120)
    with progress_bar("masking", unit="faces", console=console) as report:
        for done in range(1, 4):
            report(done, 3)
    return stream.getvalue()


def test_a_terminal_sees_count_and_rate() -> None:
    told = drawn(terminal=True)
    assert "masking" in told
    assert "3/3" in told
    assert "faces/s" in told


def test_nothing_is_drawn_where_nobody_looks() -> None:
    assert drawn(terminal=False) == ""

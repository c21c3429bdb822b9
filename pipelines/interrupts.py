"""Ctrl-C while a flow runs: stopped at once, not after Prefect has given up on a server that Ctrl-C stopped too."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_CODE = 130
MESSAGE = "interrupted: run the same command again to go on where it stopped"
GRACE_S = 5.0
"""Time to tell a server that still answers how the run ended; one that doesn't would be asked for over a minute."""


@contextmanager
def leaving_soon(grace_s: float = GRACE_S) -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C, and end the process if that hasn't ended it after a while.

    Every write is atomic and every stage resumes, so nothing is lost by leaving. For a command that ends with the
    block: the process is ended even if somebody catches the interrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        last_word = threading.Timer(grace_s, _leave)
        last_word.daemon = True
        last_word.start()
        raise KeyboardInterrupt

    # Worker pools that are left behind would be mourned by Python on stderr, after our last word.
    os.environ.setdefault("PYTHONWARNINGS", "ignore::UserWarning:multiprocessing.resource_tracker")
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave() -> None:
    print(MESSAGE, file=sys.stderr, flush=True)
    os._exit(EXIT_CODE)

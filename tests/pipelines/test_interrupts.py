"""Ctrl-C: the run ends soon, with 130 and one line, whatever holds it up."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from pipelines.interrupts import EXIT_CODE, MESSAGE, leaving_soon

STUBBORN = """
import os, signal, time
from pipelines.interrupts import leaving_soon
with leaving_soon(0.2):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        print("asked", flush=True)
    time.sleep(60)
"""


def test_an_interrupt_reaches_the_block_and_the_old_handler_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error")  # what the user has set stays, and what the block sets goes
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), leaving_soon(3600):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_block_that_goes_on_regardless_is_ended() -> None:
    done = subprocess.run([sys.executable, "-c", STUBBORN], capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_CODE, "asked\n", f"{MESSAGE}\n")

"""Tries a piece of code in a Python process of its own, so that a crash there is a finding and not the end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PROBE_SECONDS = 120
# Printed before the answer, since an import may print lines of its own.
MARK = "palette-probe:"


@dataclass(frozen=True)
class Probe:
    """What came of a probe: `answer` when it ended well, else `trouble` in one line."""

    answer: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""


def run_probe(code: str, *, seconds: float = PROBE_SECONDS) -> Probe:
    """Run `code`, which leaves a JSON-able mapping in the variable `answer`.

    Args:
        code: Python source. It sees the same environment and working folder as this process, but not the working
            folder as a place to import from.
        seconds: How long it may take.
    """
    script = f"import json\n{code}\nprint({MARK!r} + json.dumps(answer))"
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter on our own text
            [sys.executable, "-P", "-c", script],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Probe(trouble=f"no answer after {seconds:.0f} s")
    if ended.returncode < 0:
        return Probe(trouble=f"the process was killed by {_signal_name(-ended.returncode)}")
    answers = [line.removeprefix(MARK) for line in ended.stdout.splitlines() if line.startswith(MARK)]
    if ended.returncode or not answers:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        return Probe(trouble=lines[-1] if lines else f"exit status {ended.returncode} and no message")
    return Probe(answer=json.loads(answers[-1]))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

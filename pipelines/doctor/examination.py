"""Runs every check, a few at a time, and puts the findings in a fixed order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

from pipelines.doctor.check import Check, Examiner, guarded
from pipelines.doctor.installation import Installation
from pipelines.doctor.machine import check_machine, check_torch
from pipelines.doctor.orchestration import check_prefect
from pipelines.doctor.packages import check_names, check_packages, check_python
from pipelines.doctor.vision import check_dlib, check_models, check_opencv
from pipelines.progress import ProgressCallback

# The slow ones wait for a process of their own, so that a few threads bring the time down to the slowest.
THREADS = 4


def examiners(installation: Installation) -> list[tuple[str, Examiner]]:
    """Return every check with its name, in the order of the table."""
    return [
        ("python", partial(check_python, installation)),
        ("packages", partial(check_packages, installation)),
        ("import names", partial(check_names, installation)),
        ("opencv", partial(check_opencv, installation)),
        ("dlib", partial(check_dlib, installation)),
        ("model files", check_models),
        ("machine", check_machine),
        ("torch", partial(check_torch, installation)),
        ("prefect", partial(check_prefect, installation)),
    ]


def examine(progress: ProgressCallback | None = None) -> list[Check]:
    """Look at everything palette stands on.

    Args:
        progress: Called as progress(done, total) after each group of checks.

    Returns:
        The checks, grouped as in `examiners`; none of them raises.
    """
    return run_examiners(examiners(Installation.read()), progress)


def run_examiners(wanted: Sequence[tuple[str, Examiner]], progress: ProgressCallback | None = None) -> list[Check]:
    """Run the given checks at the same time and return their findings in the given order."""
    with ThreadPoolExecutor(THREADS) as pool:
        started = [pool.submit(guarded, name, examiner) for name, examiner in wanted]
        for done, _ in enumerate(as_completed(started), 1):
            if progress:
                progress(done, len(started))
        return [check for future in started for check in future.result()]


def is_healthy(checks: Iterable[Check]) -> bool:
    """Tell whether everything palette needs works; warnings are about what it can do without."""
    return all(check.status != "fail" for check in checks)

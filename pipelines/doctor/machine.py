"""Checks of the machine: processors, memory, disk, file names, torch and the GPU."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pipelines.doctor.check import Check
from pipelines.doctor.installation import Installation
from pipelines.doctor.probes import Probe, run_probe

LITTLE_DISK_GB = 5.0
NO_DISK_GB = 0.2
LITTLE_MEMORY_GB = 3.5

TORCH_PROBE = """
import torch
import torchvision
torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)
answer = {
    "version": torch.__version__,
    "torchvision": torchvision.__version__,
    "threads": torch.get_num_threads(),
    "built_for": torch.version.cuda or "",
    "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.cuda.is_available() else [],
    "mps": bool(torch.backends.mps.is_available()),
}
"""


def check_machine(folder: Path | None = None) -> list[Check]:
    """Look at processors, memory, free disk and the encoding of file names.

    Args:
        folder: Where output would be written; the working folder when not given.
    """
    return [_check_processors(), _check_disk(folder or Path.cwd()), _check_file_names(sys.getfilesystemencoding())]


def usable_processors() -> int:
    """Return how many processors this process may use, which in a container may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_processors() -> Check:
    parts = [f"{usable_processors()} of {os.cpu_count()} processors"]
    memory = _memory_gb()
    if memory:
        parts.append(f"{memory:.1f} GB of memory")
    if limit := os.environ.get("OMP_NUM_THREADS"):
        parts.append(f"OMP_NUM_THREADS={limit}")
    if memory and memory < LITTLE_MEMORY_GB:
        return Check("machine", "warn", ", ".join(parts), "use --workers 1, and small batches in training")
    return Check("machine", "info", ", ".join(parts))


def _memory_gb() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):
        return 0.0


def _check_disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{free:.1f} GB free in {folder}"
    if free < NO_DISK_GB:
        return Check("disk", "fail", found, "make room, or work in a folder on another disk")
    if free < LITTLE_DISK_GB:
        return Check("disk", "warn", found, "seven variants of a photo take about seven times its size")
    return Check("disk", "ok", found)


def _check_file_names(encoding: str) -> Check:
    if encoding.lower().replace("-", "") == "utf8":
        return Check("file names", "ok", "UTF-8")
    return Check("file names", "warn", f"{encoding}: names in other scripts will fail", "export PYTHONUTF8=1")


def check_torch(installation: Installation) -> list[Check]:
    """See that torch and torchvision work together, and which device training would use."""
    if installation.version("torch") is None:
        return [Check("GPU", "info", "torch is not installed, so none is looked for")]
    probe = run_probe(TORCH_PROBE)
    if probe.trouble:
        todo = "install torch and torchvision as a pair: pip install --force-reinstall torch torchvision"
        return [Check("torch", "warn", f"does not work: {probe.trouble}", todo)]
    answer = probe.answer
    found = f"torch {answer['version']} with torchvision {answer['torchvision']}, {answer['threads']} threads"
    return [Check("torch", "ok", found), _judge_gpu(probe)]


def _judge_gpu(probe: Probe) -> Check:
    devices = list(probe.answer["devices"])
    if devices:
        return Check("GPU", "ok", f"{', '.join(devices)} (CUDA {probe.answer['built_for']})")
    if probe.answer["mps"]:
        return Check("GPU", "ok", "Apple GPU (MPS)")
    built = f"torch is built for CUDA {probe.answer['built_for']}" if probe.answer["built_for"] else "torch has no CUDA"
    return Check("GPU", "info", f"none found ({built}): training runs on the processor")

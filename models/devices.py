"""Where the numbers are crunched, and how many cores help."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs

from models.errors import SettingsError
from models.settings import Device

# More threads than this make small models slower, not faster.
_MAX_THREADS = 16
_MAX_WORKERS = 12
# How long processes wait for the first one, which finds faces and packs photos for all of them.
_PATIENCE = timedelta(days=1)


def available_cores() -> int:
    """Cores this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_device(wanted: Device) -> torch.device:
    """The GPU where there is one, unless told otherwise; sets torch's threads to the cores at hand.

    `OMP_NUM_THREADS` is obeyed where it is set.

    Raises:
        SettingsError: a GPU was asked for and there is none.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise SettingsError("device is cuda, and torch sees no GPU here: choose auto or cpu")
    asked = os.environ.get("OMP_NUM_THREADS", "")
    torch.set_num_threads(int(asked) if asked.isdecimal() and int(asked) else min(available_cores(), _MAX_THREADS))
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def choose_workers(wanted: int, device: torch.device) -> int:
    """Processes that read photos: as asked, or (-1) one for each core beside a GPU, one for four of a CPU that trains.

    On few cores that is none: readers would take them from the training itself.
    """
    if wanted >= 0:
        return wanted
    cores = available_cores()
    return min(cores, _MAX_WORKERS) if device.type == "cuda" else max(0, min(cores // 4, _MAX_WORKERS))


def mixed_precision(device: torch.device) -> AbstractContextManager[object]:
    """Half precision on a GPU, in bfloat16 where it has it; nothing on a CPU."""
    if device.type != "cuda":
        return nullcontext()
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.autocast("cuda", dtype=dtype)


def make_accelerator(device: torch.device) -> Accelerator:
    """What runs a training on that device, or, under `accelerate launch`, on one device a process.

    Half precision on a GPU, in bfloat16 where it has it, and none on a CPU; nothing that would make two runs differ.
    """
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    half = "no" if device.type != "cuda" else "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    # Its state is one for the whole process, and a second run may be on another device.
    AcceleratorState._reset_state(reset_partial_state=int(os.environ.get("WORLD_SIZE") or 1) == 1)
    patient = InitProcessGroupKwargs(timeout=_PATIENCE)
    return Accelerator(cpu=device.type == "cpu", mixed_precision=half, kwargs_handlers=[patient])


def wait_for_all(wanted: Device) -> None:
    """Waits until all processes that were launched together have come this far; one alone goes on at once."""
    if int(os.environ.get("WORLD_SIZE") or 1) > 1:
        make_accelerator(choose_device(wanted)).wait_for_everyone()

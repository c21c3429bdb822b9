"""Where work runs: worker processes of this machine, or a Ray cluster."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from datasets.workers import stream_files
from pipelines.errors import SettingsError

Item = TypeVar("Item")
Result = TypeVar("Result")

BACKENDS = ("processes", "ray")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""A worker computes with one thread: workers don't fight for cores, and sums have one order on every machine."""

AHEAD = 2
"""Batches handed to Ray for each worker before the first is waited for."""


def worker_count(workers: int) -> int:
    """Return how many processes to use: as many as asked for, or one a core (that this process may use) for 0."""
    if workers:
        return workers
    # A container or a batch system may give a process fewer cores than the machine has.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stream_batches(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    crashed: Callable[[Item], Result],
    batch: int,
    backend: str = "processes",
) -> Iterator[list[Result]]:
    """Applies a function to every item and yields the results batch by batch, in the items' order.

    A worker that dies takes down only the item it died on, whose result `crashed` makes.

    Args:
        function: A module-level function, or a partial of one; it and the items must pickle.
        items: What to apply it to.
        workers: Processes; on a running Ray cluster, how many batches at once.
        crashed: Makes the result of an item whose worker died on it.
        batch: Items a task.
        backend: `processes`, or `ray`: the cluster that RAY_ADDRESS names, or one started on this machine. The files
            that the items name must be found under the same paths by every worker.

    Raises:
        SettingsError: The backend is unknown.
    """
    if backend not in BACKENDS:
        raise SettingsError(f"unknown backend {backend!r}: expected one of {', '.join(BACKENDS)}")
    if backend == "ray":
        batches = [items[start : start + batch] for start in range(0, len(items), batch)]
        return _on_ray(function, batches, workers, crashed)
    os.environ.update(ONE_THREAD)
    return stream_files(function, items, workers=workers, crashed=crashed, batch=batch, isolated=True)


def _on_ray(
    function: Callable[[Item], Result],
    batches: Sequence[Sequence[Item]],
    workers: int,
    crashed: Callable[[Item], Result],
) -> Iterator[list[Result]]:
    import ray

    started = _start_ray(ray, workers)
    apply = ray.remote(max_retries=0)(_apply)
    try:
        running: deque[Any] = deque()
        waiting = deque(batches)
        while waiting or running:
            while waiting and len(running) < AHEAD * workers:
                given = waiting.popleft()
                running.append((given, apply.remote(function, given)))
            given, pending = running.popleft()
            yield _collect(ray, apply, function, given, pending, crashed)
    finally:
        if started:
            ray.shutdown()


def _start_ray(ray: Any, workers: int) -> bool:
    """Joins the cluster that RAY_ADDRESS names, or starts one here; returns whether this process has to end it."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    environment = {"env_vars": dict(ONE_THREAD)}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(runtime_env=environment, log_to_driver=False)
    else:
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    return True


def _apply(function: Callable[[Item], Result], batch: Sequence[Item]) -> list[Result]:
    return [function(item) for item in batch]


def _collect(
    ray: Any,
    apply: Any,
    function: Callable[[Item], Result],
    batch: Sequence[Item],
    pending: Any,
    crashed: Callable[[Item], Result],
) -> list[Result]:
    try:
        return list(ray.get(pending))
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        return [_alone(ray, apply, function, item, crashed) for item in batch]


def _alone(
    ray: Any, apply: Any, function: Callable[[Item], Result], item: Item, crashed: Callable[[Item], Result]
) -> Result:
    try:
        results: list[Result] = ray.get(apply.remote(function, [item]))
        return results[0]
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
        return crashed(item)

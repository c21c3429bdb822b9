"""Work on many files by worker processes, with results in the order of the files whatever the number of workers."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Final, TypeVar

from datasets.errors import UsageError, WorkerError

Progress = Callable[[int, int], None]
"""Called as `progress(done, total)`."""

Item = TypeVar("Item")
Result = TypeVar("Result")
BATCH: Final = 32  # photos a task: enough to hide what a task costs, few enough to show progress


def map_files(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int = 1,
    crashed: Callable[[Item], Result],
    progress: Progress | None = None,
    isolated: bool = False,
) -> list[Result]:
    """Applies a function to every item, in batches over processes.

    A worker process that dies (a decoder that crashes on a hostile file, the kernel short of memory) takes down no more
    than its item: those of the batches that were lost are tried again one at a time, each in a process of its own.

    Args:
        function: A module-level function; with more than one worker it and the items must pickle.
        items: What to apply it to.
        workers: Processes; 1 works in this process.
        crashed: Makes the result of an item whose process died on it twice.
        progress: Told how many items are done.
        isolated: As in `stream_files`.

    Returns:
        One result an item, in their order.

    Raises:
        UsageError: If `workers` is less than 1.
    """
    results: list[Result] = []
    for batch in stream_files(function, items, workers=workers, crashed=crashed, isolated=isolated):
        results.extend(batch)
        if progress is not None:
            progress(len(results), len(items))
    return results


def stream_files(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int = 1,
    crashed: Callable[[Item], Result],
    batch: int = BATCH,
    isolated: bool = False,
) -> Generator[list[Result], None, None]:
    """Does what `map_files` does, and hands over each batch as soon as it and all before it are done.

    Left early (closed, or by an error or Ctrl-C in it), it waits until every worker has ended the item it is at, so
    that nobody writes to what the caller then lets go of.

    Args:
        function: As in `map_files`.
        items: As in `map_files`.
        workers: As in `map_files`.
        crashed: As in `map_files`.
        batch: Items a task.
        isolated: Even a single worker is a process of its own, so that a crash can't end this one.

    Yields:
        The results of one batch, in the order of the items.

    Raises:
        UsageError: If `workers` is less than 1.
    """
    if workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}")
    batches = [items[start : start + batch] for start in range(0, len(items), batch)]
    alone = workers == 1 and not isolated
    return _here(function, batches) if alone else _elsewhere(function, batches, workers, crashed)


_stopped: ctypes.c_bool | None = None
"""In a worker process: whether what it does is no longer wanted. In memory that it shares with who started it, without
a lock, which a worker that is killed would never let go of."""


def _run(function: Callable[[Item], Result], batch: Sequence[Item]) -> list[Result]:
    results: list[Result] = []
    for item in batch:
        if _stopped is not None and _stopped.value:
            break  # nobody reads these results any more
        results.append(function(item))
    return results


def _here(function: Callable[[Item], Result], batches: list[Sequence[Item]]) -> Generator[list[Result], None, None]:
    for batch in batches:
        yield [function(item) for item in batch]


def _elsewhere(
    function: Callable[[Item], Result],
    batches: list[Sequence[Item]],
    workers: int,
    crashed: Callable[[Item], Result],
) -> Generator[list[Result], None, None]:
    done = 0
    while done < len(batches):
        with _pool(min(workers, len(batches) - done)) as pool:
            futures = [pool.submit(_run, function, batch) for batch in batches[done:]]
            try:
                for future in futures:
                    yield future.result()
                    done += 1
            except BrokenProcessPool:
                pass
        if done < len(batches):
            yield _one_by_one(function, batches[done], crashed)
            done += 1


def _one_by_one(
    function: Callable[[Item], Result], batch: Sequence[Item], crashed: Callable[[Item], Result]
) -> list[Result]:
    """Works on a batch whose process may have died on it, so that only the item it dies on again is lost."""
    results: list[Result] = []
    while len(results) < len(batch):
        with _pool(1) as pool:
            _check_alive(pool)
            try:
                for item in batch[len(results) :]:
                    results.append(pool.submit(function, item).result())
            except BrokenProcessPool:
                results.append(crashed(batch[len(results)]))
    return results


def _check_alive(pool: Executor) -> None:
    try:
        pool.submit(_ready).result()
    except BrokenProcessPool as error:
        raise WorkerError(
            "worker processes don't start; work with 1 worker, or, in a script of your own, "
            "put what it runs under `if __name__ == '__main__':`"
        ) from error


def _ready() -> bool:
    return True


@contextmanager
def _pool(workers: int) -> Iterator[Executor]:
    """Worker processes, of which none is at work any more when the block has ended, however it does."""
    # Not a fork of this process: its threads (a progress bar's, a flow's) may hold locks that a fork never frees.
    context = multiprocessing.get_context("spawn")
    stopped = context.RawValue(ctypes.c_bool, False)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(stopped,))
    try:
        yield pool
    finally:
        stopped.value = True
        pool.shutdown(wait=True, cancel_futures=True)


def _start(stopped: ctypes.c_bool) -> None:
    """Lets this worker end when the process that started it does: killed, that one tells nobody to stop."""
    global _stopped
    _stopped = stopped
    threading.Thread(target=_leave_after_parent, daemon=True).start()


def _leave_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

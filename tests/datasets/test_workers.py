from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from datasets.errors import UsageError
from datasets.workers import map_files, stream_files


def square(number: int) -> int:
    return number * number


def die_on(bad: frozenset[int], number: int) -> int:
    if number in bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def fail_on_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def linger(folder: Path, number: int) -> int:
    (folder / f"{number}.part").write_text(str(os.getpid()))
    (folder / f"{number}.part").rename(folder / str(number))
    for _ in range(1200):  # an interrupt that comes just before a sleep begins doesn't shorten it
        time.sleep(0.1)
    return number


def hold(folder: Path, first: int, number: int) -> int:
    """From the first such number on, doesn't end before there is a file `go`."""
    (folder / f"{number}.begun").touch()
    if number >= first:
        assert wait_for((folder / "go").exists)
        time.sleep(0.1)
    (folder / f"{number}.ended").touch()
    return number


def crashed(number: int) -> int:
    return -1


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 32, 75])
def test_results_are_in_order_and_progress_ends_at_the_total(workers, count):
    told = []
    results = map_files(
        square, range(count), workers=workers, crashed=crashed, progress=lambda done, total: told.append((done, total))
    )
    assert results == [number * number for number in range(count)]
    assert told == sorted(told)
    assert {total for _, total in told} <= {count}
    assert (told[-1][0] if told else 0) == count


def test_a_process_that_dies_takes_no_more_than_its_item():
    results = map_files(partial(die_on, frozenset({5, 40})), range(70), workers=2, crashed=crashed)
    assert results == [-1 if number in (5, 40) else number for number in range(70)]


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_are_not_swallowed(workers):
    with pytest.raises(ValueError, match="three"):
        map_files(fail_on_three, range(40), workers=workers, crashed=crashed)


@pytest.mark.parametrize("isolated", [False, True])
def test_batches_come_one_after_another(isolated):
    batches = stream_files(square, range(5), crashed=crashed, batch=2, isolated=isolated)
    assert list(batches) == [[0, 1], [4, 9], [16]]


def test_left_early_it_waits_for_the_items_that_are_begun_and_for_no_others(tmp_path: Path):
    batches = stream_files(partial(hold, tmp_path, 4), range(16), workers=2, crashed=crashed, batch=4)
    assert next(batches) == [0, 1, 2, 3]
    assert wait_for((tmp_path / "4.begun").exists)
    release = threading.Timer(0.5, (tmp_path / "go").touch)
    release.start()
    batches.close()
    begun = {path.stem for path in tmp_path.glob("*.begun")}
    assert {path.stem for path in tmp_path.glob("*.ended")} == begun
    assert begun <= {"0", "1", "2", "3", "4", "8"}
    assert not multiprocessing.active_children()


def test_an_isolated_worker_cannot_take_this_process_down():
    batches = stream_files(partial(die_on, frozenset({1})), range(3), crashed=crashed, isolated=True)
    assert list(batches) == [[0, -1, 2]]


def test_workers_are_at_least_one():
    with pytest.raises(UsageError, match="at least 1"):
        map_files(square, range(3), workers=0, crashed=crashed)


def test_a_script_without_a_guard_is_told_so(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "from datasets.errors import WorkerError\n"
        "from datasets.workers import map_files\n"
        "import os\n"
        "if os.getpid() != int(os.environ.setdefault('TOP', str(os.getpid()))):\n"
        "    raise SystemExit(3)\n"
        "try:\n"
        "    map_files(abs, [1, 2], workers=2, crashed=abs)\n"
        "except WorkerError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=True)
    assert "__main__" in done.stdout


def wait_for(done, seconds: float = 60.0) -> bool:
    limit = time.monotonic() + seconds
    while not done() and time.monotonic() < limit:
        time.sleep(0.02)
    return bool(done())


def is_running(process: int) -> bool:
    try:
        # One that ended and that nobody has asked about is a zombie: `Z` after the name in parentheses.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to look for processes in")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_when_the_process_that_started_them_is_killed_or_interrupted(tmp_path: Path, how: signal.Signals):
    script = (
        "import signal, sys; from functools import partial; from pathlib import Path\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # what runs in a shell's background ignores it
        "from datasets.workers import stream_files; from tests.datasets.test_workers import crashed, linger\n"
        "list(stream_files(partial(linger, Path(sys.argv[1])), [1, 2], workers=2, crashed=crashed, batch=1))\n"
    )
    command, root = [sys.executable, "-c", script, tmp_path], Path(__file__).parents[2]
    running = subprocess.Popen(command, cwd=root, start_new_session=True, stderr=subprocess.DEVNULL)
    assert wait_for(lambda: len(list(tmp_path.glob("[12]"))) == 2)
    workers = [int(path.read_text()) for path in tmp_path.iterdir()]
    assert all(is_running(worker) for worker in workers)
    if how == signal.SIGINT:
        os.killpg(running.pid, how)  # as a terminal does it: to this process and its workers
    else:
        running.kill()
    running.wait(60)
    assert wait_for(lambda: not any(is_running(worker) for worker in workers))

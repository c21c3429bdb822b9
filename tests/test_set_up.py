"""Set-up and the Makefile, with a Python that writes down what it is asked instead of installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
LOCK = "setuptools==80.10.2 \\\n    --hash=sha256:00\n    # via torch\ntorch==2.15.0 \\\n    --hash=sha256:11\n"
# Says yes to the version question; makes a "virtual environment" of itself; writes down every other call.
PYTHON = """#!/bin/sh
here=$(cd "$(dirname "$0")" && pwd)
case "$1 $2" in
"-c "*) exit 0 ;;
"--version "*) echo "Python 3.11.99"; exit 0 ;;
"-m venv") rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
esac
echo "$*" >>"$CALLS"
if [ "$2" = pip ] && [ -e "$BREAK" ]; then
    echo "WARNING: Location 'x' is ignored: it is either a non-existing path"
    echo "ERROR: no network"
    exit 1
fi
"""
PALETTE = '#!/bin/sh\nfor word in "$@"; do printf "<%s>" "$word"; done\n'


@dataclass(frozen=True)
class Clone:
    """A folder with the parts of the repository that set-up reads, and a Python of the test's own."""

    root: Path
    environment: dict[str, str]

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        merged = {**self.environment, **environment}
        return subprocess.run(command, cwd=self.root, env=merged, capture_output=True, text=True, check=False)

    def set_up(self, **environment: str) -> list[str]:
        """Run set-up, which must go well, and return what it asked of Python."""
        ended = self.run("scripts/set-up", **environment)
        assert ended.returncode == 0, ended.stderr
        return self.calls()

    def calls(self) -> list[str]:
        log = Path(self.environment["CALLS"])
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def change(self, name: str, text: str) -> None:
        with (self.root / name).open("a", encoding="utf-8") as opened:
            opened.write(text)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    root = tmp_path / "a clone"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(REPOSITORY / "scripts" / "set-up", root / "scripts")
    shutil.copy(REPOSITORY / "Makefile", root)
    (root / "requirements.lock").write_text(LOCK, encoding="utf-8")
    (root / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    python = tmp_path / "python"
    python.write_text(PYTHON, encoding="utf-8")
    python.chmod(0o755)
    own = {"PYTHON": str(python), "CALLS": str(tmp_path / "calls"), "BREAK": str(tmp_path / "break")}
    return Clone(root, {"PATH": os.environ["PATH"], **own})


EDITABLE = "-m pip install --no-deps --no-build-isolation -e ."


def test_set_up_installs_the_lock_with_hashes_and_then_the_project(clone: Clone) -> None:
    venv, builders, lock, project = clone.set_up()
    assert venv == "-m venv --clear .venv"
    assert builders == "-m pip install --no-deps --require-hashes -r .venv/builders.lock"
    assert "--no-deps --require-hashes --no-build-isolation" in lock
    assert lock.endswith("-r requirements.lock")
    assert project == EDITABLE
    assert (clone.root / ".venv" / "builders.lock").read_text(encoding="utf-8").count("==") == 1


def test_set_up_does_again_only_what_changed(clone: Clone) -> None:
    clone.set_up()
    assert clone.set_up() == []
    clone.change("requirements.lock", "# only a remark\n")
    assert clone.set_up() == []
    clone.change("pyproject.toml", "version = '2'\n")
    assert clone.set_up() == [EDITABLE]
    clone.change("requirements.lock", "timm==1.0.31 \\\n    --hash=sha256:22\n")
    assert len(clone.set_up()) == 4


def test_a_half_made_environment_is_made_anew(clone: Clone) -> None:
    (clone.root / ".venv" / "bin").mkdir(parents=True)
    (clone.root / ".venv" / "bin" / "python").symlink_to("gone")
    (clone.root / ".venv" / "rubble").write_text("", encoding="utf-8")
    assert len(clone.set_up()) == 4
    assert not (clone.root / ".venv" / "rubble").exists()
    (clone.root / ".venv" / "bin" / "python").unlink()
    assert len(clone.set_up()) == 4


def test_a_moved_clone_is_set_up_again(clone: Clone, tmp_path: Path) -> None:
    clone.set_up()
    moved = Clone(clone.root.rename(tmp_path / "elsewhere"), clone.environment)
    assert len(moved.set_up()) == 4


def test_a_failure_is_shown_without_the_noise_and_is_tried_again(clone: Clone) -> None:
    clone.set_up()
    clone.change("requirements.lock", "timm==1.0.31 \\\n    --hash=sha256:22\n")
    broken = Path(clone.environment["BREAK"])
    broken.touch()
    ended = clone.run("scripts/set-up")
    assert ended.returncode == 1
    assert "installing setuptools failed" in ended.stderr
    assert "ERROR: no network" in ended.stderr
    assert "is ignored" not in ended.stderr
    assert "What to do:" in ended.stderr
    broken.unlink()
    clone.calls()
    assert len(clone.set_up()) == 4


def test_a_python_that_does_not_do_is_refused_in_one_line(clone: Clone) -> None:
    ended = clone.run("scripts/set-up", PYTHON="/bin/false")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: PYTHON=/bin/false is not a Python 3.11 or 3.12")
    assert not (clone.root / ".venv").exists()


def test_without_any_python_the_message_says_what_to_do(clone: Clone, tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("sh", "dirname", "grep", "cksum", "cat", "date", "head", "tail", "rm"):
        (bare / tool).symlink_to(shutil.which(tool) or pytest.skip(f"no {tool} here"))
    ended = clone.run("scripts/set-up", PATH=str(bare), PYTHON="")
    assert ended.returncode == 1
    assert "Python 3.11 or 3.12 is needed; found no Python at all" in ended.stderr


@pytest.mark.parametrize("name", ["photos", "my photos/it's", 'a "b"  c', "x$y $(HOME)", "-dash"])
def test_demo_passes_the_folder_on_as_it_was_typed(clone: Clone, name: str) -> None:
    clone.set_up()
    script = clone.root / ".venv" / "bin" / "palette"
    script.write_text(PALETTE, encoding="utf-8")
    script.chmod(0o755)
    assert clone.run("make", "-s", "demo", f"PHOTOS={name}").stdout == f"<demo><--photos={name}>"
    assert clone.run("make", "-s", "demo", PHOTOS=name.replace("$(HOME)", "")).stdout.startswith("<demo><--photos=")
    assert clone.run("make", "-s", "demo").stdout == "<demo>"


def test_make_alone_lists_the_targets(clone: Clone) -> None:
    listed = clone.run("make").stdout
    assert all(f"make {target} " in listed for target in ("help", "demo", "test", "lint", "lock", "clean"))


def test_continuous_integration_fails_when_a_check_fails(clone: Clone, tmp_path: Path) -> None:
    (clone.root / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "run", clone.root / ".ci")
    make = tmp_path / "tools" / "make"
    make.parent.mkdir()
    make.write_text('#!/bin/sh\necho "ran $1"\n[ "$1" != "$FAILING" ]\n', encoding="utf-8")
    make.chmod(0o755)
    path = f"{make.parent}:{os.environ['PATH']}"
    for failing in ("lint", "test"):
        ended = clone.run(".ci/run", PATH=path, FAILING=failing)
        assert ended.returncode == 1
        assert ended.stdout.splitlines() == ["ran lint", "ran test"]
        assert f"failed: {failing}" in ended.stderr
    assert clone.run(".ci/run", PATH=path, FAILING="").returncode == 0

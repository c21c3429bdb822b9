"""The command line: one line for each error, the right exit code, no traceback."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer

from datasets.errors import DatasetsError
from models.errors import ModelsError
from pipelines import cli
from pipelines.errors import FlowFailedError, MissingInputError, PipelinesError, SettingsError
from synth.errors import SynthError, SynthUsageError


def run_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    """Run a palette whose only command raises `error`."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def work() -> None:
        raise error

    monkeypatch.setattr(cli, "build_app", lambda: app)
    return cli.run([])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PipelinesError("a stage failed"), 1),
        (SettingsError("a stage failed"), 2),
        (MissingInputError("a stage failed"), 2),
        (FlowFailedError("a stage failed"), 1),
        (DatasetsError("a stage failed"), 1),
        (ModelsError("a stage failed"), 1),
        (SynthError("a stage failed"), 1),
        (SynthUsageError("a stage failed"), 2),
    ],
)
def test_room_errors_are_one_line_with_their_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    assert run_with(monkeypatch, error) == code
    captured = capsys.readouterr()
    assert captured.err == "error: a stage failed\n"
    assert captured.out == ""


def test_a_message_of_several_lines_becomes_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, PipelinesError("first\n  second")) == 1
    assert capsys.readouterr().err == "error: first second\n"


def test_an_interrupt_says_that_the_run_can_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, KeyboardInterrupt()) == 130
    told = capsys.readouterr().err
    assert "same command" in told
    assert "Traceback" not in told


def test_a_missing_extra_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, ModuleNotFoundError("No module named 'torch'", name="torch")) == 2
    assert "palette-faces[train]" in capsys.readouterr().err


def test_an_operating_system_error_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(monkeypatch, PermissionError(13, "Permission denied", "out/manifest.csv")) == 1
    assert "Permission denied: 'out/manifest.csv'" in capsys.readouterr().err


def test_a_fault_of_ours_says_how_to_see_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(cli.DEBUG_VARIABLE, raising=False)
    assert run_with(monkeypatch, ZeroDivisionError("division by zero")) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ZeroDivisionError: division by zero")
    assert cli.DEBUG_VARIABLE in told
    assert told.count("\n") == 1


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cli.DEBUG_VARIABLE, "1")
    with pytest.raises(ZeroDivisionError):
        run_with(monkeypatch, ZeroDivisionError("division by zero"))


def test_a_command_that_exits_keeps_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_with(monkeypatch, typer.Exit(1)) == 1
    assert run_with(monkeypatch, typer.Exit(0)) == 0


def test_every_command_is_registered_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    told = capsys.readouterr().out
    for name in cli.COMMANDS:
        assert name in told


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    assert "Usage: palette " + name in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nonsense"], ["merge"], ["ingest", "folder"], ["train", "m", "--epochs", "x"]])
def test_a_wrong_call_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert "Usage" in captured.err
    assert "Traceback" not in captured.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"palette {version('palette-faces')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["ingest", "competition", "nowhere", "--out", "out"],
        ["ingest", "no-such-reader", ".", "--out", "out"],
        ["ingest", "folder", ".", "--out", "other.parquet"],
        ["merge", "nowhere", "--out", "out"],
        ["report", "nowhere"],
        ["train", "nowhere"],
        ["predict", "nowhere", "nowhere"],
        ["pseudo-label", "nowhere", "--out", "out"],
        ["check-ages", "nowhere", "--out", "out"],
        ["run", "no-such-flow"],
        ["run", "synth-flow", "--set", "precision=7"],
        ["run", "synth-flow", "--settings", "nowhere.toml"],
        ["serve", "no-such-flow"],
    ],
)
def test_what_a_user_gets_wrong_is_one_line_and_2(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pipelines import cli; cli.run(['--help']); "
        "heavy = {'numpy', 'pandas', 'prefect', 'torch', 'cv2', 'dlib', 'pydantic'} & set(sys.modules); "
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_pipe_is_no_fault() -> None:
    """`palette --help | head -0`: whoever reads goes away first."""
    command = f"{sys.executable} -c 'from pipelines.cli import main; main()' --help | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""


def test_a_merge_never_replaces_what_it_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "work").mkdir()
    manifest = tmp_path / "work" / "manifest.parquet"
    manifest.write_bytes(b"precious")
    for given in (manifest, manifest.parent):
        assert cli.run(["merge", str(given), "--out", str(tmp_path / "work")]) == 2
    assert "one of the manifests to merge" in capsys.readouterr().err
    assert manifest.read_bytes() == b"precious"

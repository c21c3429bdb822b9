"""The `palette` command.

Each command lives in `pipelines.commands.<name>` and does its heavy imports when it runs, so that
`palette --help` answers at once. `main` turns every error a user can cause into one line and an exit code:
0 done, 1 the work failed, 2 the call was wrong, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated

import typer

from pipelines.interrupts import EXIT_CODE, MESSAGE

COMMANDS = (
    "mask",
    "plan",
    "fetch",
    "ingest",
    "pseudo-label",
    "check-ages",
    "duplicates",
    "merge",
    "licences",
    "report",
    "export",
    "train",
    "predict",
    "ensemble",
    "score",
    "classify",
    "export-model",
    "run",
    "serve",
    "demo",
    "doctor",
)
EXTRAS = {
    "prefect": "pipelines",
    "jinja2": "pipelines",
    "matplotlib": "pipelines",
    "torch": "train",
    "torchvision": "train",
    "timm": "train",
    "albumentations": "train",
    "sklearn": "train",
    "torchmetrics": "train",
    "safetensors": "train",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "ray": "ray",
}
DEBUG_VARIABLE = "PALETTE_DEBUG"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"palette {version('palette-faces')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Training data for classifiers of mask state, gender and age.

    Put masks on photos, merge datasets, train and score a classifier.
    """


def build_app() -> typer.Typer:
    """Return the Typer app with every command registered."""
    app = typer.Typer(
        name="palette",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"max_content_width": 120},
    )
    app.callback()(_root)
    for name in COMMANDS:
        module_name = name.replace("-", "_")
        module = importlib.import_module(f"pipelines.commands.{module_name}")
        app.command(name)(getattr(module, module_name))
    return app


def _room_errors() -> tuple[type[Exception], ...]:
    from datasets.errors import DatasetsError
    from models.errors import ModelsError
    from pipelines.errors import PipelinesError
    from synth.errors import SynthError

    return DatasetsError, ModelsError, PipelinesError, SynthError


def explain(error: BaseException) -> tuple[str, int]:
    """Return the one-line message and the exit code of an error.

    Args:
        error: Whatever ended the command.

    Returns:
        The message without a leading `error:`, and the exit code.
    """
    if isinstance(error, _room_errors()):
        return " ".join(str(error).split()), int(getattr(error, "exit_code", 1))
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").split(".")[0]
        if package in EXTRAS:
            return f"this needs {package}, which is not installed: pip install 'palette-faces[{EXTRAS[package]}]'", 2
    if isinstance(error, OSError):
        return " ".join(str(error).split()), 1
    told = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{told} (a fault in palette; {DEBUG_VARIABLE}=1 shows where it happened)", 1


def _fail(error: Exception) -> int:
    if os.environ.get(DEBUG_VARIABLE):
        raise error
    message, code = explain(error)
    print(f"error: {message}", file=sys.stderr)
    return code


def _interrupted() -> int:
    print(MESSAGE, file=sys.stderr)
    return EXIT_CODE


def _quiet_broken_pipe() -> int:
    # The reader of our stdout went away (`palette ... | head`); without this Python complains again at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing a user can cause ends in a traceback.

    Args:
        arguments: What follows `palette`; `sys.argv[1:]` when not given.
    """
    try:
        build_app()(args=arguments, prog_name="palette")
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        return _interrupted() if code == EXIT_CODE else code
    except KeyboardInterrupt:
        return _interrupted()
    except BrokenPipeError:
        return _quiet_broken_pipe()
    except Exception as error:
        return _fail(error)
    return 0


def main() -> None:
    """Entry point of the `palette` script."""
    sys.exit(run())


if __name__ == "__main__":  # accelerate launch -m pipelines.cli train ...
    main()

"""Options that commands share, and options made from a settings dataclass so that the two never drift apart."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from models.settings import Device, Tta
from pipelines.types import PhotoPlacing

JsonOption = Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")]
WorkersOption = Annotated[int, typer.Option("--workers", "-j", min=0, help="Processes; 0 takes every core.")]
RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Folder that palette train or palette ensemble wrote, or a checkpoint.")
]
DeviceOption = Annotated[Device, typer.Option(help="auto takes a GPU when there is one.")]
TtaOption = Annotated[
    Tta, typer.Option("--tta", help="Views of each photo to average over: flip mirrors it, flip5 also cuts windows.")
]
BatchOption = Annotated[int, typer.Option("--batch-size", min=1, max=65_536, help="Photos at once.")]
ReadersOption = Annotated[
    int, typer.Option("--workers", "-j", min=-1, max=256, help="Processes that read photos; -1 chooses.")
]
PhotosOption = Annotated[PhotoPlacing, typer.Option("--photos", help="How photos get beside the manifest.")]
LicenceOption = Annotated[
    str | None, typer.Option("--licence", help="SPDX id to use instead of the source's own, where you have permission.")
]

_CONTEXT = "typed_in"

Result = TypeVar("Result")


def attribute_help(kind: type) -> dict[str, str]:
    """Return the help text of each field of a dataclass, read from the `Attributes:` part of its docstring."""
    _, _, listed = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:")
    found: dict[str, str] = {}
    for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", listed, flags=re.MULTILINE):
        found[name] = " ".join(text.replace("`", "").split())
    return found


Presets = Callable[[Sequence[str], Mapping[str, Any]], Mapping[str, Any]]


def options_from(
    kind: type, parameter: str = "settings", presets: tuple[str, Presets] | None = None
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Return a decorator that replaces one parameter by an option for each field of a dataclass.

    Args:
        kind: A dataclass whose fields all have defaults and whose docstring describes them.
        parameter: The parameter that receives the dataclass.
        presets: Another parameter of the command, which holds names, and what makes fields of those names and of the
            options that the user typed; fields it says nothing of keep their defaults.
    """
    hints = get_type_hints(kind)
    told = attribute_help(kind)

    def decorate(command: Callable[..., Result]) -> Callable[..., Result]:
        own = inspect.signature(command, eval_str=True).parameters

        @functools.wraps(command)
        def with_options(**given: Any) -> Result:
            chosen: Mapping[str, Any] = {each.name: given.pop(each.name) for each in fields(kind)}
            context = given.pop(_CONTEXT, None)
            if presets is not None:
                named, make = presets
                chosen = make(given[named] or (), {name: chosen[name] for name in chosen if _was_typed(context, name)})
            return command(**given, **{parameter: kind(**chosen)})

        made = [_option(each.name, hints[each.name], each.default, told.get(each.name, "")) for each in fields(kind)]
        kept = [each for name, each in own.items() if name != parameter]
        asked = [] if presets is None else [_context()]
        _set_signature(with_options, [*kept, *asked, *made])
        return with_options

    return decorate


def _context() -> inspect.Parameter:
    """A parameter through which typer tells what was typed; its own, since it may carry a click of its own."""
    return inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


def _was_typed(context: typer.Context | None, name: str) -> bool:
    """Say whether an option of the running command was given; always, where no command line is at work."""
    source = context.get_parameter_source(name) if context is not None else None
    return source is None or source.name != "DEFAULT"


def _option(name: str, hint: Any, default: Any, text: str) -> inspect.Parameter:
    if default is MISSING:
        raise TypeError(f"the field {name} needs a default to become an option")
    annotation = Annotated[hint, typer.Option(help=text)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _set_signature(function: Any, parameters: list[inspect.Parameter]) -> None:
    as_keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    function.__signature__ = inspect.Signature(as_keywords)
    function.__annotations__ = {each.name: each.annotation for each in as_keywords}
    del function.__wrapped__

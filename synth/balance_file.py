"""A balance plan as a file that a person can read and edit: TOML, or JSON where there are very many photos."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from synth.balance import BalancePlan, ClassGoal, FaceClass
from synth.errors import OutputError, SynthUsageError
from synth.plans import LARGEST_COUNT
from synth.wear import list_wear_styles

SUFFIXES = (".toml", ".json")
KNOWN = {"target", "cap", "classes", "photos"}

HEADER = """\
# Which variants each photo gets, by wear style. Written to balance classes; edit it as you like.
# A photo that isn't named gets none. `classes` says what the plan was made for; changing it changes nothing.
"""


def write_balance(plan: BalancePlan, path: Path) -> Path:
    """Writes a plan; the same plan gives the same bytes.

    Args:
        plan: to write.
        path: ends in .toml or .json.

    Raises:
        SynthUsageError: another ending.
        OutputError: it can't be written.
    """
    _check_suffix(path)
    text = "\n".join(_toml_lines(plan)) + "\n" if path.suffix == ".toml" else _json_text(plan)
    part = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except (OSError, UnicodeEncodeError) as error:
        with suppress(OSError):
            part.unlink()
        raise OutputError(f"cannot write the plan {path}: {getattr(error, 'strerror', None) or error}") from error
    return path


def _check_suffix(path: Path) -> None:
    if path.suffix not in SUFFIXES:
        raise SynthUsageError(f"expected a plan file ending in {' or '.join(SUFFIXES)}, got {path}")


def _goal(goal: ClassGoal) -> dict[str, Any]:
    why = {"why": goal.why} if goal.why else {}
    return {"present": goal.present, "planned": goal.planned, **why}


def _toml_lines(plan: BalancePlan) -> Iterator[str]:
    yield f"{HEADER}target = {plan.target}\ncap = {plan.cap}\n\n[classes]"
    for goal in plan.classes:
        yield f"{_quoted(str(goal.of))} = {_inline(_goal(goal))}"
    yield "\n[photos]"
    for photo, styles in plan.photos.items():
        yield f"{_quoted(photo)} = {_inline(styles)}"


def _inline(table: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items()) + "}"


def _quoted(text: str) -> str:
    """As a TOML basic string: JSON's, but for the delete character, which TOML wants escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _json_text(plan: BalancePlan) -> str:
    head = {
        "target": plan.target,
        "cap": plan.cap,
        "classes": {str(goal.of): _goal(goal) for goal in plan.classes},
        "photos": {},
    }
    # One line a photo, as in TOML.
    lines = ",\n".join(f"  {json.dumps(name, ensure_ascii=False)}: {json.dumps(s)}" for name, s in plan.photos.items())
    return (
        json.dumps(head, indent=1, ensure_ascii=False).replace('"photos": {}', '"photos": {\n' + lines + "\n }") + "\n"
    )


def is_balance_file(name: str) -> bool:
    """Whether a plan's name is that of a readable file which gives each photo variants of its own."""
    path = Path(name)
    if path.suffix not in SUFFIXES or not path.is_file():
        return False
    if path.suffix == ".json":
        return True
    try:
        with path.open(encoding="utf-8") as file:
            return any(line.split("#")[0].strip() == "[photos]" for line in file)
    except (OSError, UnicodeDecodeError):
        return False


def read_balance(path: Path) -> BalancePlan:
    """Reads a plan.

    Raises:
        SynthUsageError: it can't be read, or is of another form; the message says where.
    """
    _check_suffix(path)
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise SynthUsageError(f"the plan {path} can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise SynthUsageError(f"the plan {path} is no {path.suffix[1:].upper()}: {error}") from error
    if not isinstance(table, dict) or not isinstance(table.get("photos"), dict) or set(table) - KNOWN:
        raise SynthUsageError(f"the plan {path} needs [photos], and may have target, cap and [classes], nothing else")
    styles = set(list_wear_styles())
    photos = {photo: _styles(path, photo, wanted, styles) for photo, wanted in table["photos"].items()}
    target, cap = _count(path, "target", table.get("target", 0)), _count(path, "cap", table.get("cap", 0))
    return BalancePlan(photos, _goals(path, table.get("classes", {}), target), target, cap)


def _styles(path: Path, photo: str, wanted: object, known: set[str]) -> dict[str, int]:
    if not isinstance(wanted, dict):
        raise SynthUsageError(f"the plan {path}: {photo} needs a table of wear styles and counts, got {wanted!r}")
    unknown = sorted(set(wanted) - known)
    if unknown:
        raise SynthUsageError(
            f"the plan {path}: {photo} has the unknown wear style {unknown[0]!r}: expected one of "
            f"{', '.join(list_wear_styles())}"
        )
    counts = {style: _count(path, f"{photo}, {style}", count) for style, count in wanted.items()}
    if sum(counts.values()) > LARGEST_COUNT:
        raise SynthUsageError(f"the plan {path}: {photo} gets {sum(counts.values())} variants, over {LARGEST_COUNT}")
    return {style: count for style, count in counts.items() if count}


def _count(path: Path, name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise SynthUsageError(f"the plan {path}: {name} is a whole number from 0, not {value!r}")
    return value


def _goals(path: Path, classes: object, target: int) -> tuple[ClassGoal, ...]:
    if not isinstance(classes, dict):
        raise SynthUsageError(f"the plan {path}: classes is a table, not {classes!r}")
    goals = []
    for name, values in classes.items():
        parts = str(name).split("/")
        if len(parts) != 3 or not isinstance(values, dict):
            raise SynthUsageError(f"the plan {path}: expected mask/gender/age_group and a table, got {name!r}")
        present, planned = (_count(path, f"{name}, {key}", values.get(key, 0)) for key in ("present", "planned"))
        goals.append(ClassGoal(FaceClass(*parts), present, planned, target, str(values.get("why", ""))))
    return tuple(goals)

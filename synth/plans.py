"""Plans: which variants a photo gets."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synth.errors import SynthUsageError
from synth.looks import list_mask_types, mask_type
from synth.wear import NOT_WEAR, get_wear_style, list_wear_styles, mask_state_of

LARGEST_COUNT = 100


@dataclass(frozen=True)
class Slot:
    """One kind of variant in a plan.

    Attributes:
        wear: wear styles to draw from, each as likely as the others.
        count: how many such variants.
        types: mask types to draw from; empty for all. Within a slot no type repeats before all were used.
    """

    wear: tuple[str, ...]
    count: int = 1
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.wear or not 1 <= self.count <= LARGEST_COUNT:
            told = f"{' or '.join(self.wear) or 'none'} {self.count} times"
            raise SynthUsageError(f"expected a wear style and a count from 1 to {LARGEST_COUNT}, got {told}")
        states = {mask_state_of(style) for style in self.wear}
        if len(states) > 1:
            raise SynthUsageError(f"a plan's slot means one mask state, got {', '.join(sorted(states))}")
        for name in self.types:
            mask_type(name)


@dataclass(frozen=True)
class Order:
    """One variant to be made: its key (unique within the photo), wear style and mask type (empty without a mask)."""

    key: str
    wear_style: str
    mask_type: str


@dataclass(frozen=True)
class Plan:
    """A named list of slots."""

    name: str
    slots: tuple[Slot, ...]

    def __post_init__(self) -> None:
        if not self.slots:
            raise SynthUsageError(f"the plan {self.name!r} makes no variant: give it at least one slot")

    @property
    def per_photo(self) -> int:
        """How many variants a photo gets."""
        return sum(slot.count for slot in self.slots)

    def orders(self, rng: np.random.Generator) -> list[Order]:
        """Draws one photo's variants, with `keys` in their order."""
        drawn: list[tuple[str, str]] = []
        for slot in self.slots:
            drawn += zip(_styles(slot, rng), _types(slot, rng), strict=True)
        return [
            Order(key, style, "" if style == NOT_WEAR else kind)
            for key, (style, kind) in zip(self.keys, drawn, strict=True)
        ]

    @property
    def keys(self) -> list[str]:
        """Of a photo's variants, by chance or not: the mask state and a number, as wear1, wear2, incorrect1."""
        numbers: Counter[str] = Counter()
        keys = []
        for state in (mask_state_of(slot.wear[0]) for slot in self.slots for _ in range(slot.count)):
            numbers[state] += 1
            keys.append(f"{state}{numbers[state]}")
        return keys

    def parameters(self) -> dict[str, Any]:
        """As JSON values, for the recipe."""
        return {"slots": [{"wear": list(s.wear), "count": s.count, "types": list(s.types)} for s in self.slots]}


def _styles(slot: Slot, rng: np.random.Generator) -> list[str]:
    return [slot.wear[int(i)] for i in rng.integers(len(slot.wear), size=slot.count)]


def _types(slot: Slot, rng: np.random.Generator) -> list[str]:
    names = list(slot.types or list_mask_types())
    drawn: list[str] = []
    while len(drawn) < slot.count:
        drawn += [names[int(i)] for i in rng.permutation(len(names))]
    return drawn[: slot.count]


_INCORRECT = tuple(name for name in list_wear_styles() if mask_state_of(name) == "incorrect")

PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan("competition", (Slot(("correct",), 5), Slot(_INCORRECT, 1), Slot((NOT_WEAR,), 1))),
        Plan("wear", (Slot(("correct",), 1),)),
        Plan("all-styles", tuple(Slot((name,), 1) for name in list_wear_styles())),
    )
}


def list_plans() -> list[str]:
    """The names of the built-in plans."""
    return list(PLANS)


def get_plan(name: str) -> Plan:
    """A built-in plan by name, or one from a TOML file.

    The file's form is a `[[variants]]` table for each slot: `wear` (a style or a list), `count`, `types` (a list).

    Raises:
        SynthUsageError: no such plan or file, or a file of another form.
    """
    if name in PLANS:
        return PLANS[name]
    path = Path(name)
    if path.suffix != ".toml":
        raise SynthUsageError(f"unknown plan {name!r}: expected one of {', '.join(PLANS)}, or a .toml file")
    try:
        return _from_toml(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise SynthUsageError(f"the plan {name} can't be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SynthUsageError(f"the plan {name} is no TOML: {error}") from error


def _from_toml(name: str, table: dict[str, Any]) -> Plan:
    slots = table.get("variants")
    if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots):
        raise SynthUsageError(f"the plan {name} has no [[variants]] tables; each needs wear, and may have count, types")
    return Plan(name, tuple(_slot(name, slot) for slot in slots))


def _slot(name: str, table: dict[str, Any]) -> Slot:
    unknown = set(table) - {"wear", "count", "types"}
    if unknown:
        raise SynthUsageError(f"the plan {name} has unknown keys {', '.join(sorted(unknown))}: use wear, count, types")
    wear, count, types = table.get("wear", ()), table.get("count", 1), table.get("types", ())
    wear = (wear,) if isinstance(wear, str) else wear
    if not _texts(wear) or not _texts(types) or not isinstance(count, int) or isinstance(count, bool):
        raise SynthUsageError(f"the plan {name}: wear and types are names or lists of names, count a whole number")
    return Slot(tuple(wear), count, tuple(types))


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def custom_plan(base: Plan, wear: Sequence[str], types: Sequence[str]) -> Plan:
    """A plan narrowed by hand.

    Args:
        base: what to start from.
        wear: if any, replaces the base's slots by these: `style` or `style:count`, such as `nose_out:2`.
        types: if any, only these mask types are drawn.

    Raises:
        SynthUsageError: an unknown style or type, or a malformed count.
    """
    slots = tuple(_parse_slot(text) for text in wear) or base.slots
    if not wear and not types:
        return base
    return Plan("custom", tuple(Slot(slot.wear, slot.count, tuple(types) or slot.types) for slot in slots))


def _parse_slot(text: str) -> Slot:
    style, colon, count = text.partition(":")
    if colon and not count.isdecimal():
        raise SynthUsageError(f"expected a wear style or style:count, such as nose_out:2, got {text!r}")
    if style != NOT_WEAR:
        get_wear_style(style)
    return Slot((style,), int(count) if colon else 1)

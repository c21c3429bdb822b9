"""Plans: which variants a photo gets."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from synth.choice import check_policy
from synth.errors import SynthUsageError
from synth.looks import list_mask_types, suited_types
from synth.wear import NOT_WEAR, get_wear_style, list_wear_styles, mask_state_of

LARGEST_COUNT = 100
LARGEST_WEIGHT = 1e6

COMMONNESS = {"nose_out": 3.0, "chin": 2.0, "chin_out": 0.5, "hanging": 0.5, "over_eyes": 0.25}
"""How often people wear a mask so beside the other wrong ways, 1 for a style that isn't named. An estimate of ours: the
nose left out and the mask pulled under the chin are what is seen in streets, the others are rare."""


def check_weights(weights: Mapping[str, float]) -> None:
    """Makes sure that styles can be drawn by these weights.

    Raises:
        SynthUsageError: one is no number above 0.
    """
    if not all(math.isfinite(weight) and 0 < weight <= LARGEST_WEIGHT for weight in weights.values()):
        told = ", ".join(f"{style} {weight:g}" for style, weight in weights.items())
        raise SynthUsageError(f"a wear style's weight is above 0 and at most {LARGEST_WEIGHT:g}, got {told}")


@dataclass(frozen=True)
class Slot:
    """One kind of variant in a plan.

    Attributes:
        wear: wear styles to draw from.
        count: how many such variants.
        types: mask types to draw from; empty for all. Each is only drawn for a style it can be worn in; within a slot
            none repeats before all that suit the style were used.
        weights: how likely each style is beside the others, above 0; empty for all the same.
    """

    wear: tuple[str, ...]
    count: int = 1
    types: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.wear or not 1 <= self.count <= LARGEST_COUNT:
            told = f"{' or '.join(self.wear) or 'none'} {self.count} times"
            raise SynthUsageError(f"expected a wear style and a count from 1 to {LARGEST_COUNT}, got {told}")
        states = {mask_state_of(style) for style in self.wear}
        if len(states) > 1:
            raise SynthUsageError(f"a plan's slot means one mask state, got {', '.join(sorted(states))}")
        for style in self.wear:
            if self.types and not suited_types(self.types, style):
                raise SynthUsageError(f"none of these mask types can be worn {style}: {', '.join(self.types)}")
        if self.weights and len(self.weights) != len(self.wear):
            raise SynthUsageError(f"expected one weight for each of {len(self.wear)} styles, got {len(self.weights)}")
        check_weights(dict(zip(self.wear, self.weights, strict=False)))

    @classmethod
    def weighted(cls, wear: Mapping[str, float], count: int = 1, types: tuple[str, ...] = ()) -> Slot:
        """A slot of styles and their weights."""
        return cls(tuple(wear), count, types, tuple(float(weight) for weight in wear.values()))


@dataclass(frozen=True)
class Order:
    """One variant to be made: its key (unique within the photo), wear style and mask type (empty without a mask)."""

    key: str
    wear_style: str
    mask_type: str


@dataclass(frozen=True)
class Plan:
    """A named list of slots.

    Attributes:
        name: of the plan.
        slots: what each photo gets.
        faces: which face of several is meant, see `synth.choice.choose_face`; empty leaves it to the run.
    """

    name: str
    slots: tuple[Slot, ...]
    faces: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if self.faces:
            check_policy(self.faces)
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
            styles = _styles(slot, rng)
            drawn += zip(styles, _types(slot, styles, rng), strict=True)
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
        return {"slots": [_slot_parameters(slot) for slot in self.slots]}


@dataclass(frozen=True)
class AssignedPlan:
    """Stands in a run's settings for a plan that gives each photo variants of its own, which travel with its task.

    Attributes:
        name: of the plan.
        digest: of all photos' variants, hex.
        faces: as of `Plan`.
    """

    name: str
    digest: str
    faces: str = ""

    def parameters(self) -> dict[str, Any]:
        """As JSON values, for the recipe."""
        return {"assigned": self.digest}


def _slot_parameters(slot: Slot) -> dict[str, Any]:
    weights = {"weights": list(slot.weights)} if slot.weights else {}
    return {"wear": list(slot.wear), "count": slot.count, "types": list(slot.types), **weights}


def _styles(slot: Slot, rng: np.random.Generator) -> list[str]:
    if slot.weights:
        shares = np.array(slot.weights) / sum(slot.weights)
        return [slot.wear[int(i)] for i in rng.choice(len(slot.wear), size=slot.count, p=shares)]
    return [slot.wear[int(i)] for i in rng.integers(len(slot.wear), size=slot.count)]


def _types(slot: Slot, styles: Sequence[str], rng: np.random.Generator) -> list[str]:
    """For each style the next type of a shuffled pile that can be worn so; what was passed over stays on top."""
    names = list(slot.types or list_mask_types())
    drawn: list[str] = []
    pile: list[str] = []
    for style in styles:
        suited = suited_types(names, style)
        if not set(suited) & set(pile):
            pile += [names[int(i)] for i in rng.permutation(len(names)) if names[int(i)] not in pile]
        kind = next(name for name in pile if name in suited)
        pile.remove(kind)
        drawn.append(kind)
    return drawn


def styles_of(mask_state: str, types: Sequence[str] = ()) -> dict[str, float]:
    """The wear styles that mean a mask state, and how common each is beside the others.

    Args:
        mask_state: wear, incorrect or not_wear.
        types: where given, only the styles in which one of these mask types can be worn.
    """
    states = {name: mask_state_of(name) for name in list_wear_styles() if suited_types(types, name)}
    return {name: COMMONNESS.get(name, 1.0) for name, state in states.items() if state == mask_state}


PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan("competition", (Slot(("correct",), 5), Slot.weighted(styles_of("incorrect")), Slot((NOT_WEAR,), 1))),
        Plan("wear", (Slot(("correct",), 1),)),
        Plan("all-styles", tuple(Slot((name,), 1) for name in list_wear_styles())),
    )
}


def list_plans() -> list[str]:
    """The names of the built-in plans."""
    return list(PLANS)


def get_plan(name: str) -> Plan:
    """A built-in plan by name, or one from a TOML file.

    The file's form is a `[[variants]]` table for each slot: `wear` (a style, a list, or a table of styles and weights),
    `count`, `types` (a list); before them may stand `faces`. `docs/plan.toml` is an example.

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
    _check_keys(name, table, ("variants", "faces"))
    slots, faces = table.get("variants"), table.get("faces", "")
    if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots):
        raise SynthUsageError(f"the plan {name} has no [[variants]] tables; each needs wear, and may have count, types")
    if not isinstance(faces, str):
        raise SynthUsageError(f"the plan {name}: faces is auto, largest or refuse, not {faces!r}")
    return Plan(name, tuple(_slot(name, slot) for slot in slots), faces=faces)


def _check_keys(name: str, table: dict[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise SynthUsageError(f"the plan {name} has unknown keys {', '.join(unknown)}: use {', '.join(known)}")


def _slot(name: str, table: dict[str, Any]) -> Slot:
    _check_keys(name, table, ("wear", "count", "types"))
    wear, count, types = table.get("wear", ()), table.get("count", 1), table.get("types", ())
    if not _texts(types) or not isinstance(count, int) or isinstance(count, bool):
        raise SynthUsageError(f"the plan {name}: types is a list of names, count a whole number")
    if isinstance(wear, dict):
        if not all(isinstance(weight, int | float) and not isinstance(weight, bool) for weight in wear.values()):
            raise SynthUsageError(f"the plan {name}: weights are numbers, as in wear = {{nose_out = 3, chin = 2}}")
        return Slot.weighted(wear, count, tuple(types))
    wear = (wear,) if isinstance(wear, str) else wear
    if not _texts(wear):
        raise SynthUsageError(f"the plan {name}: wear is a name, a list of names, or a table of names and weights")
    return Slot(tuple(wear), count, tuple(types))


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def custom_plan(base: Plan, wear: Sequence[str], types: Sequence[str]) -> Plan:
    """A plan narrowed by hand.

    Args:
        base: what to start from.
        wear: if any, replaces the base's slots by these: `style` or `style:count`, such as `nose_out:2`.
        types: if any, only these mask types are drawn, and a slot's styles in which none can be worn are left out.

    Raises:
        SynthUsageError: an unknown style or type, a malformed count, or a slot of which no style is left.
    """
    slots = tuple(_parse_slot(text) for text in wear) or base.slots
    if not wear and not types:
        return base
    chosen = tuple(_narrowed(slot, tuple(types)) for slot in slots) if types else slots
    return Plan("custom", chosen, faces=base.faces)


def _narrowed(slot: Slot, types: tuple[str, ...]) -> Slot:
    kept = [number for number, style in enumerate(slot.wear) if suited_types(types, style)] or range(len(slot.wear))
    weights = tuple(slot.weights[number] for number in kept) if slot.weights else ()
    return replace(slot, wear=tuple(slot.wear[number] for number in kept), types=types, weights=weights)


def _parse_slot(text: str) -> Slot:
    style, colon, count = text.partition(":")
    if colon and not count.isdecimal():
        raise SynthUsageError(f"expected a wear style or style:count, such as nose_out:2, got {text!r}")
    if style != NOT_WEAR:
        get_wear_style(style)
    return Slot((style,), int(count) if colon else 1)

"""Corrections to published labels: a table that people write, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from datasets.errors import LabelsError
from datasets.labels import GENDERS, MASK_STATES, known_age
from datasets.refusals import Refusal
from datasets.tables import read_table

STEMS: Final = {**{f"mask{i}": "wear" for i in range(1, 6)}, "incorrect_mask": "incorrect", "normal": "not_wear"}
"""The competition's seven photos of a person, and the mask state that each stands for."""

FIELDS: Final = ("gender", "age", "swap")
"""What can be corrected in the competition's folder, whose photos have names that may have been exchanged."""

PHOTO_FIELDS: Final = ("gender", "age", "mask")
"""What can be corrected of any other source's person or photo."""


@dataclass
class Fixes:
    """What is corrected of one person.

    Attributes:
        values: Column to its right value: gender, age, mask.
        swaps: Photo's stem to the stem it should have had.
    """

    values: dict[str, Any] = field(default_factory=dict)
    swaps: dict[str, str] = field(default_factory=dict)

    def stem(self, stem: str) -> str:
        """Returns the stem a photo should have had."""
        return self.swaps.get(stem, stem)


_NONE: Final = Fixes()


@dataclass(frozen=True)
class Corrections:
    """All corrections, by person: the key of the person's folder, or the id where that names one person only.

    Attributes:
        people: Person to fixes.
        file: The table, for messages.
    """

    people: Mapping[str, Fixes] = field(default_factory=dict)
    file: str = ""

    def of(self, key: str, identity: str) -> Fixes:
        """Returns the fixes of a person; where both name a field, that by key holds."""
        by_id, by_key = self.people.get(identity, _NONE), self.people.get(key, _NONE)
        return Fixes(by_id.values | by_key.values, by_id.swaps | by_key.swaps)

    def check(self, people: Mapping[str, str]) -> None:
        """Checks that every id that is corrected means one person.

        Args:
            people: Key to id, of everybody.

        Raises:
            LabelsError: If an id belongs to several people.
        """
        for name in self.people:
            keys = [key for key, identity in people.items() if identity == name and key != name]
            if name not in people and len(keys) > 1:
                raise LabelsError(
                    f"{self.file}: id {name} belongs to {len(keys)} people; write one of {', '.join(keys)}"
                )

    def unmatched(self, people: Mapping[str, str]) -> list[Refusal]:
        """Returns a refusal for each correction of somebody who isn't there."""
        known = set(people) | set(people.values())
        detail = "the corrections name somebody who isn't in the source's labels"
        return [Refusal(name, "labels", "unknown_person", detail) for name in sorted(self.people) if name not in known]


def read_corrections(path: Path, fields: tuple[str, ...] = FIELDS) -> Corrections:
    """Reads a table of corrections.

    Columns `person,field,value`. `person` is the name of a person's folder, or an id where only one person has it;
    with PHOTO_FIELDS the source's key of a person, or the relative path of a photo. `field` is `gender` (value male or
    female), `age` (years), `mask` (a mask state), or `swap`: the value names two photos whose names were exchanged,
    such as `normal incorrect_mask`.

    Args:
        path: The CSV.
        fields: Those that can be corrected: FIELDS or PHOTO_FIELDS.

    Raises:
        LabelsError: If it can't be read, or a row has no meaning; the message gives the line.
    """
    table = read_table(path, required=("person", "field", "value"))
    people: dict[str, Fixes] = {}
    rows = zip(table["person"].tolist(), table["field"].tolist(), table["value"].tolist(), strict=True)
    for line, (person, name, value) in enumerate(rows, start=2):
        try:
            _apply(people.setdefault(person, Fixes()), name.lower(), value, fields)
        except ValueError as error:
            raise LabelsError(f"{path} line {line}: {name} {value!r}: {error}") from error
    return Corrections(people, str(path))


def _apply(fixes: Fixes, name: str, value: str, fields: tuple[str, ...]) -> None:
    if name not in fields:
        raise ValueError(f"the fields are {', '.join(fields)}")
    if name == "gender":
        if value.lower() not in GENDERS:
            raise ValueError(f"expected one of {', '.join(GENDERS)}")
        fixes.values["gender"] = value.lower()
    elif name == "age":
        if known_age(float(value)) is None:
            raise ValueError("expected years")
        fixes.values["age"] = float(value)
    elif name == "mask":
        if value.lower() not in MASK_STATES:
            raise ValueError(f"expected one of {', '.join(MASK_STATES)}")
        fixes.values["mask"] = value.lower()
    else:
        stems = value.split()
        if len(stems) != 2 or stems[0] == stems[1] or not set(stems) <= set(STEMS):
            raise ValueError("expected the names of two photos, such as 'normal incorrect_mask'")
        fixes.swaps |= {stems[0]: stems[1], stems[1]: stems[0]}

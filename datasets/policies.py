"""Label policies: choices about what a source's labels are taken to mean, kept apart from the code that reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from datasets.errors import UsageError
from datasets.labels import MASK_STATES, MAX_AGE, age_group
from datasets.named_files import file_version

AgeGroup = Literal["under_30", "30_to_59", "60_plus"]
LEAST_CUTOFF: Final = 58
"""Teams of the competition moved the limit of the oldest group down to 58 at most."""


@dataclass(frozen=True)
class LabelPolicy:
    """How what a source says becomes labels; checked when made. What isn't given is left to the source.

    Attributes:
        min_age: Years; a lower age is taken for unknown. medical-masks has 10 of its own.
        max_age: Years; a higher age is taken for unknown. medical-masks has 100 of its own.
        age_cutoff: First age of the group 60_plus, 58 to 60. Changes age groups and labels, never an age.
        type_map: Mask state of each TYPE, where a source has them, such as 1=wear,2=incorrect,3=incorrect,4=not_wear.
        only: Takes only photos of this age group; the others are refused as left_out.
        corrections: CSV of what to set right: person,field,value.
    """

    min_age: int | None = None
    max_age: int | None = None
    age_cutoff: int = 60
    type_map: str = ""
    only: AgeGroup | None = None
    corrections: Path | None = None

    def __post_init__(self) -> None:
        for name, age in (("min_age", self.min_age), ("max_age", self.max_age)):
            if age is not None and not 0 <= age <= MAX_AGE:
                raise UsageError(f"{name} must be 0 to {MAX_AGE}, not {age}")
        if not LEAST_CUTOFF <= self.age_cutoff <= 60:
            raise UsageError(f"age_cutoff must be {LEAST_CUTOFF} to 60, not {self.age_cutoff}")
        parse_types(self.type_map)

    def resolve(self, source: str, ages: tuple[int, int], types: Mapping[str, str]) -> Policy:
        """Returns the policy with what a source has of its own filled in.

        Args:
            source: Its name, for messages.
            ages: Its own window of ages, both ends being known ages.
            types: Its own codes of mask states, to what they mean; empty where it has none.

        Raises:
            UsageError: If the window is empty, or a code is mapped that the source doesn't have.
        """
        low = ages[0] if self.min_age is None else self.min_age
        high = ages[1] if self.max_age is None else self.max_age
        if low > high:
            raise UsageError(f"no age is from {low} to {high}: see min_age and max_age")
        given = parse_types(self.type_map)
        unknown = sorted(set(given) - set(types))
        if unknown:
            has = f"its TYPEs are {', '.join(types)}" if types else "it has none"
            raise UsageError(f"{source} has no TYPE {', '.join(unknown)} to map: {has}")
        return Policy((low, high), self.age_cutoff, {**types, **given}, self.only, self.corrections)


@dataclass(frozen=True)
class Policy:
    """A label policy for one source, nothing left open.

    Attributes:
        ages: Lowest and highest age that is taken for one, years.
        cutoff: First age of the oldest group.
        types: The source's codes of mask states, to what they mean.
        only: The one age group taken, or None.
        corrections: CSV of corrections, or None.
    """

    ages: tuple[int, int]
    cutoff: int
    types: Mapping[str, str]
    only: str | None
    corrections: Path | None

    def labels(
        self, given: Mapping[str, Any], code: str | None = None, fixes: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Returns a photo's labels as this policy reads them.

        Args:
            given: Manifest columns; an age may be any number.
            code: What the source calls the photo's mask state, where it has codes.
            fixes: Columns whose value is corrected: gender, age, mask. A corrected age needn't be in the window.
        """
        labels = dict(given) if code is None else {"mask": self.types[code], **given}
        age = labels.get("age")
        if age is not None and not self.ages[0] <= age <= self.ages[1]:
            labels |= {"age": None, "age_group": None}  # the group was that of the age
        for column, value in (fixes or {}).items():
            if value != labels.get(column):
                labels |= {column: value, f"{column}_from": "corrected"}
        if labels.get("age") is not None:
            labels["age_group"] = age_group(labels["age"], self.cutoff)
        return labels

    def left_out(self, labels: Mapping[str, Any]) -> str | None:
        """Returns why a photo with these labels isn't taken, or None if it is."""
        group = labels.get("age_group")
        if self.only is None or group == self.only:
            return None
        return f"{group or 'no known age'}; only {self.only} is taken"

    def facts(self) -> dict[str, Any]:
        """Returns what a manifest's provenance keeps: plain values, no path of this machine."""
        return {
            "ages": list(self.ages),
            "age_cutoff": self.cutoff,
            "types": dict(self.types),
            "only": self.only,
            "corrections": file_version(self.corrections) if self.corrections else None,
        }

    def note(self) -> str:
        """Returns, for `source_version`, what is not as in every manifest; empty where everything is."""
        said = []
        if self.ages != (0, MAX_AGE):
            said.append(f"ages {self.ages[0]} to {self.ages[1]}")
        if self.cutoff != 60:
            said.append(f"60_plus from {self.cutoff}")
        if self.types:
            said.append("TYPE " + ",".join(f"{code}={state}" for code, state in self.types.items()))
        if self.only:
            said.append(f"only {self.only}")
        if self.corrections:
            said.append(f"corrections {file_version(self.corrections)}")
        return "; ".join(said)


def parse_types(text: str) -> dict[str, str]:
    """Returns `1=wear,2=incorrect` as a mapping; empty for an empty text.

    Raises:
        UsageError: If a part isn't a code and a mask state, or a code comes twice.
    """
    types: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        code, _, state = (word.strip() for word in part.partition("="))
        if not code or state not in MASK_STATES or code in types:
            raise UsageError(
                f"type_map must be such as 1=wear,2=incorrect, each code once and {', '.join(MASK_STATES)} after it; "
                f"not {part!r}"
            )
        types[code] = state
    return types

"""The 18 classes: `label = mask * 6 + gender * 3 + age_group`, as the competition defines them.

All-Age-Faces writes genders the other way round (0 female, 1 male), so no number for a single label leaves its reader:
everywhere else a mask state, a gender and an age group are words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

MASK_STATES: Final = ("wear", "incorrect", "not_wear")
GENDERS: Final = ("male", "female")
AGE_GROUPS: Final = ("under_30", "30_to_59", "60_plus")
AXES: Final[Mapping[str, tuple[str, ...]]] = {"mask": MASK_STATES, "gender": GENDERS, "age_group": AGE_GROUPS}
"""The manifest's columns that make a class, in the order of its formula, and their words."""

N_LABELS: Final = len(MASK_STATES) * len(GENDERS) * len(AGE_GROUPS)
MAX_AGE: Final = 120
"""Years; an age beyond it is an error of the dataset, not an age (the oldest person on record reached 122)."""

LABEL_FROM: Final = ("given", "corrected", "pseudo", "synthetic")
WEAR_STYLES: Final = ("correct", "nose_out", "chin", "chin_out", "hanging", "over_eyes")


def known_age(age: float | None) -> float | None:
    """Returns `age` in years as a float, or None where it is missing or isn't an age (below 0, above MAX_AGE)."""
    if age is None or _is_missing(age) or not 0 <= age <= MAX_AGE:
        return None
    return float(age)


def _is_missing(value: Any) -> bool:
    """Says whether a value is None, NaN or pandas' NA, without importing pandas: commands show their help at once."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas' NA is not even unequal to itself
        return True


def age_group(age: float | None, cutoff: int = 60) -> str | None:
    """Puts an age in years into its group.

    Args:
        age: Years; None, NaN and values that are no age (see `known_age`) have no group.
        cutoff: First age of the oldest group; 60 is the competition's.

    Returns:
        One of AGE_GROUPS, or None.
    """
    years = known_age(age)
    if years is None:
        return None
    if years < 30:
        return AGE_GROUPS[0]
    return AGE_GROUPS[1] if years < cutoff else AGE_GROUPS[2]


def encode_label(mask: str | None, gender: str | None, age_group: str | None) -> int | None:
    """Returns the class, 0..17, of a mask state, a gender and an age group; None if any of them is missing.

    Raises:
        ValueError: If one of them is no known word.
    """
    if any(_is_missing(part) for part in (mask, gender, age_group)):
        return None
    label = 0
    for part, words in zip((mask, gender, age_group), AXES.values(), strict=True):
        if part not in words:
            raise ValueError(f"expected one of {', '.join(words)}, not {part!r}")
        label = label * len(words) + words.index(str(part))
    return label


def decode_label(label: int) -> tuple[str, str, str]:
    """Returns the mask state, gender and age group of a class.

    Raises:
        ValueError: If `label` is outside 0..17.
    """
    if not 0 <= label < N_LABELS:
        raise ValueError(f"a label is 0..{N_LABELS - 1}, not {label}")
    rest, age = divmod(int(label), len(AGE_GROUPS))
    mask, gender = divmod(rest, len(GENDERS))
    return MASK_STATES[mask], GENDERS[gender], AGE_GROUPS[age]


def label_name(label: int) -> str:
    """Returns a class as people read it, such as `wear/male/under_30`."""
    return "/".join(decode_label(label))

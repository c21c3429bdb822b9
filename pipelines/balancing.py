"""The plan `balance`: what is there is counted, and each photo gets the variants that the rarest classes need."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from datasets.errors import LabelsError
from datasets.labels import AGE_GROUPS, GENDERS, MASK_STATES, N_LABELS, age_group, decode_label, label_name
from datasets.manifest import make_refusals, read_manifest
from datasets.refusals import Refusal
from datasets.tables import read_table
from pipelines.errors import SettingsError
from pipelines.mask_input import MaskInput
from synth.balance import BalancePlan, FaceClass, Person, balance, resolve_target
from synth.balance_file import read_balance
from synth.run import STAGE

BALANCE = "balance"
"""The plan's name."""

CLASSES = tuple(FaceClass(*parts) for parts in product(MASK_STATES, GENDERS, AGE_GROUPS))


@dataclass(frozen=True)
class BalanceOptions:
    """What a balance plan is made of.

    Attributes:
        counts: What is there already, all together: manifests or their folders, CSVs with a row a photo and `label`,
            or CSVs with `label` and `count`.
        target: Photos wanted of each class: a number, `max` (as many as the largest class) or `median`.
        cap: Most variants of one person, 1 to 100.
    """

    counts: tuple[Path, ...] = ()
    target: str = "max"
    cap: int = 20


def read_counts(path: Path) -> dict[FaceClass, int]:
    """Count the photos of each of the 18 classes.

    Args:
        path: A manifest or its folder; or a CSV, see `BalanceOptions`. A label is 0..17 or a class such as
            wear/male/under_30; rows without one aren't counted.

    Raises:
        DatasetsError: There is no such file, or it is of another form.
    """
    if path.suffix.lower() != ".csv":
        labels = read_manifest(path)["label"].dropna()
        return _with_zeros({int(str(label)): int(count) for label, count in labels.value_counts().items()})
    table = read_table(path, required=("label",))
    counted: Counter[int] = Counter()
    weights = table["count"] if "count" in table.columns else pd.Series("1", index=table.index)
    for row, (label, count) in enumerate(zip(table["label"].tolist(), weights.tolist(), strict=True), start=2):
        if label:
            if not str(count).isdecimal():
                raise LabelsError(f"{path}, row {row}: count is a whole number, not {count!r}")
            counted[_label(path, row, str(label))] += int(count)
    return _with_zeros(counted)


def _label(path: Path, row: int, text: str) -> int:
    names = {label_name(label): label for label in range(N_LABELS)}
    if text in names:
        return names[text]
    if text.removesuffix(".0").isdecimal() and int(text.removesuffix(".0")) < N_LABELS:
        return int(text.removesuffix(".0"))
    raise LabelsError(f"{path}, row {row}: expected a label 0..{N_LABELS - 1} or such as {label_name(0)}, not {text!r}")


def _with_zeros(counts: Mapping[int, int]) -> dict[FaceClass, int]:
    found = {FaceClass(*decode_label(label)): count for label, count in counts.items()}
    return {each: found.get(each, 0) for each in CLASSES}


def count_all(paths: Iterable[Path]) -> dict[FaceClass, int]:
    """Count the photos of each of the 18 classes in all of these; see `read_counts`."""
    counts = [read_counts(path) for path in paths]
    return {each: sum(count[each] for count in counts) for each in CLASSES}


def plan_balance(given: MaskInput, options: BalanceOptions, types: tuple[str, ...] = ()) -> BalancePlan:
    """Decide which variants each photo gets; see `synth.balance.balance`.

    Args:
        given: The photos.
        options: What is wanted, and what is there already.
        types: Mask types to draw from; all when empty.

    Raises:
        DatasetsError: What is counted can't be read.
        SettingsError: No target can be taken from counts, for there are none.
        SynthUsageError: The target or the cap is malformed, or a mask type unknown.
    """
    if not options.counts and not options.target.isdecimal():
        raise SettingsError(
            f"the target {options.target} is that of counted photos: name a manifest or CSV with --counts, "
            "or give the target as a number"
        )
    present = count_all(options.counts)
    return balance(_people(given), present, resolve_target(options.target, present), options.cap, types)


def chosen_balance(given: MaskInput, plan: str, options: BalanceOptions, types: tuple[str, ...] = ()) -> BalancePlan:
    """Return the balance plan of that name: one made for these photos, or what a file says."""
    return plan_balance(given, options, types) if plan == BALANCE else read_balance(Path(plan))


def _people(given: MaskInput) -> list[Person]:
    photos: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for task in given.tasks:
        row = given.rows[task.photo_id]
        gender, group = _gender(row), _age_group(row)
        if gender and group:
            photos[str(row["person_id"]), gender, group].append(task.photo_id)
    return [Person(*who, tuple(names)) for who, names in photos.items()]


def _gender(row: Mapping[str, Any]) -> str | None:
    gender = row.get("gender")
    return str(gender) if gender in GENDERS else None


def _age_group(row: Mapping[str, Any]) -> str | None:
    group = row.get("age_group")
    return str(group) if group in AGE_GROUPS else age_group(row.get("age"))


def assign_plan(given: MaskInput, plan: BalancePlan, types: tuple[str, ...] = ()) -> MaskInput:
    """Give each photo its variants; those without a gender or age are refused, those that aren't needed left out.

    Args:
        given: The photos.
        plan: Which variants each gets.
        types: Mask types to draw from; all when empty.
    """
    planned = [(task, plan.plan_of(task.photo_id, types)) for task in given.tasks]
    tasks = [replace(task, plan=own) for task, own in planned if own is not None]
    idle = [task.photo_id for task, own in planned if own is None]
    nobody = [Refusal(name, STAGE, "unlabelled", told) for name in idle if (told := _unknown(given.rows[name]))]
    refused = pd.concat([given.refused, make_refusals(nobody)], ignore_index=True)
    return replace(
        given,
        tasks=tasks,
        refused=refused,
        assigned=plan.assigned(types),
        goals=plan.classes,
        not_needed=len(idle) - len(nobody),
    )


def require_variants(given: MaskInput) -> None:
    """Make sure that the plan gives any photo a variant, where it is one that gives each its own.

    Raises:
        SettingsError: It doesn't.
    """
    if given.assigned is not None and not given.tasks:
        raise SettingsError(
            "the plan gives none of these photos a variant: it was made for others, or every class that they could "
            "add to has its target, or none has a gender and an age"
        )


def _unknown(row: Mapping[str, Any]) -> str:
    missing = [name for name, value in (("gender", _gender(row)), ("age", _age_group(row))) if value is None]
    return f"no {' and no '.join(missing)}, so no class to balance" if missing else ""

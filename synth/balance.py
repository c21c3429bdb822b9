"""Balancing classes: how many variants, worn how, each photo gets, so that the rarest classes grow the most.

A class is a mask state, a gender and an age group. A photo's gender and age group are given; what is decided here is
the mask state and the wear style of its variants.
"""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synth.errors import SynthUsageError
from synth.plans import LARGEST_COUNT, AssignedPlan, Plan, Slot, styles_of
from synth.wear import NOT_WEAR, list_wear_styles

Integers = NDArray[np.int64]

STATES = ("wear", "incorrect", NOT_WEAR)
LARGEST_TARGET = 10_000_000


@dataclass(frozen=True, order=True)
class FaceClass:
    """A class: mask state (wear, incorrect, not_wear), gender and age group, in the caller's words."""

    mask: str
    gender: str
    age_group: str

    def __str__(self) -> str:
        return f"{self.mask}/{self.gender}/{self.age_group}"


@dataclass(frozen=True)
class Person:
    """Somebody whose photos can be masked.

    Attributes:
        person_id: of the person; twice where the age group changes from photo to photo: the cap is then divided.
        gender, age_group: as in `FaceClass`.
        photos: ids of the photos, all without a mask.
    """

    person_id: str
    gender: str
    age_group: str
    photos: tuple[str, ...]


@dataclass(frozen=True)
class ClassGoal:
    """What the plan does for one class.

    Attributes:
        of: the class.
        present: photos of it that are there already.
        planned: variants that the plan makes of it.
        target: photos wanted.
        why: what keeps present and planned below the target; empty where nothing does.
    """

    of: FaceClass
    present: int
    planned: int
    target: int
    why: str = ""

    @property
    def short(self) -> int:
        """How many are missing to the target."""
        return max(self.target - self.present - self.planned, 0)


@dataclass(frozen=True)
class BalancePlan:
    """Which variants each photo gets.

    Attributes:
        photos: photo id to wear style to count; a photo that isn't named gets none.
        classes: the goals, in the order of the classes.
        target: photos wanted of each class.
        cap: most variants of one person.
    """

    photos: Mapping[str, Mapping[str, int]]
    classes: tuple[ClassGoal, ...] = ()
    target: int = 0
    cap: int = 0
    name: str = field(default="balance", kw_only=True)

    def plan_of(self, photo_id: str, types: tuple[str, ...] = ()) -> Plan | None:
        """The photo's own plan, drawing from these mask types (all when empty); None where it gets no variant."""
        styles = self.photos.get(photo_id)
        if not styles:
            return None
        return Plan(self.name, tuple(Slot((style,), count, types) for style, count in styles.items()))

    def assigned(self, types: tuple[str, ...] = ()) -> AssignedPlan:
        """What stands for the whole plan in a run's settings: the same only where every photo's variants are."""
        wanted = {photo: dict(styles) for photo, styles in self.photos.items() if styles}
        text = json.dumps({"photos": wanted, "types": types}, sort_keys=True)
        return AssignedPlan(self.name, hashlib.sha256(text.encode()).hexdigest()[:16])


def resolve_target(text: str, present: Mapping[FaceClass, int]) -> int:
    """How many photos of each class are wanted.

    Args:
        text: a number; `max`, as many as the largest class has; or `median`, as many as the one in the middle.
        present: photos of every class, those without any among them.

    Raises:
        SynthUsageError: neither, or nothing was counted to take the largest or middle one of.
    """
    if text.isdecimal() and 1 <= int(text) <= LARGEST_TARGET:
        return int(text)
    if text not in ("max", "median"):
        raise SynthUsageError(f"expected a target from 1 to {LARGEST_TARGET}, max or median, got {text!r}")
    counts = list(present.values())
    target = max(counts, default=0) if text == "max" else round(statistics.median(counts or [0]))
    if target < 1:
        raise SynthUsageError(f"the {text} of the class counts is 0: give the target as a number")
    return target


def balance(
    people: Iterable[Person],
    present: Mapping[FaceClass, int],
    target: int,
    cap: int = 20,
    types: tuple[str, ...] = (),
) -> BalancePlan:
    """Decides which variants each photo gets.

    Within a gender and age group the classes furthest below the target come first. What a group gets is spread over its
    people: nobody gets another variant before all who can have got as many. A bare variant of a photo is the same
    picture every time, so a photo has one at most. The result doesn't depend on the order of people or photos.

    Args:
        people: whose photos can be masked.
        present: photos of each class that are there already; those that aren't named have none.
        target: photos wanted of each class.
        cap: most variants of one person, 1 to 100.
        types: mask types that will be drawn from; all when empty. A style in which none can be worn isn't planned.

    Raises:
        SynthUsageError: a cap or target out of range, an unknown type, or a photo that is named twice.
    """
    if not 1 <= cap <= LARGEST_COUNT:
        raise SynthUsageError(f"expected a cap from 1 to {LARGEST_COUNT} variants a person, got {cap}")
    if not 1 <= target <= LARGEST_TARGET:
        raise SynthUsageError(f"expected a target from 1 to {LARGEST_TARGET}, got {target}")
    groups = _groups(people, cap)
    named = {(each.gender, each.age_group): None for each in present} | dict.fromkeys(sorted(groups))
    photos: dict[str, dict[str, int]] = {}
    goals: list[ClassGoal] = []
    for gender, age_group in named:
        members, caps = groups.get((gender, age_group), ([], []))
        classes = [FaceClass(state, gender, age_group) for state in STATES]
        there = np.array([present.get(each, 0) for each in classes], dtype=np.int64)
        planned = _share(members, np.array(caps, dtype=np.int64), there, target)
        photos |= _deal(members, np.array(caps, dtype=np.int64), planned, types)
        limits = _limits(members, caps, int(planned[2]))
        for each, before, made, limit in zip(classes, there.tolist(), planned.tolist(), limits, strict=True):
            goals.append(ClassGoal(each, before, made, target, limit if before + made < target else ""))
    order = {each: number for number, each in enumerate(present)}
    goals.sort(key=lambda goal: order.get(goal.of, len(order)))
    return BalancePlan(dict(sorted(photos.items())), tuple(goals), target, cap)


def _groups(people: Iterable[Person], cap: int) -> dict[tuple[str, str], tuple[list[Person], list[int]]]:
    """People and their caps by gender and age group, in an order that is chance, but always the same."""
    known = sorted((each for each in people if each.photos), key=lambda each: (_rank(each.person_id), each.age_group))
    twice = [photo for photo, count in Counter(p for each in known for p in each.photos).items() if count > 1]
    if twice:
        raise SynthUsageError(f"the photo {min(twice)} is named for more than one person")
    parts = Counter(each.person_id for each in known)
    seen: Counter[str] = Counter()
    groups: dict[tuple[str, str], tuple[list[Person], list[int]]] = defaultdict(lambda: ([], []))
    for each in known:
        part, of = seen[each.person_id], parts[each.person_id]
        seen[each.person_id] += 1
        members, caps = groups[each.gender, each.age_group]
        members.append(each)
        caps.append(cap // of + (part < cap % of))
    return groups


def _rank(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def _share(members: list[Person], caps: Integers, present: Integers, target: int) -> Integers:
    """How many variants of each of STATES a group gets."""
    room = np.maximum(target - present, 0)
    room[2] = min(room[2], int(_bare_room(members, caps).sum()))
    return spread(int(caps.sum()), present, room)


def _bare_room(members: list[Person], caps: Integers) -> Integers:
    return np.minimum(np.array([len(each.photos) for each in members], dtype=np.int64), caps)


def spread(total: int, levels: Integers, room: Integers) -> Integers:
    """Hands out `total` pieces, always to the lowest that has room, the first of equals first.

    Args:
        total: pieces; fewer are handed out where there is less room.
        levels: (N,) where each starts.
        room: (N,) the most that each can take.

    Returns:
        (N,) how many each gets.
    """
    if total >= int(room.sum()):
        return np.array(room, dtype=np.int64)
    low, high = int(levels.min()), int((levels + room).max())
    while low < high:  # the highest level that all can be raised to
        middle = (low + high + 1) // 2
        if int(np.clip(middle - levels, 0, room).sum()) <= total:
            low = middle
        else:
            high = middle - 1
    given = np.clip(low - levels, 0, room)
    next_ones = np.flatnonzero((levels + given == low) & (given < room))[: total - int(given.sum())]
    given[next_ones] += 1
    return given


def _deal(
    members: list[Person], caps: Integers, planned: Integers, types: tuple[str, ...]
) -> dict[str, dict[str, int]]:
    """Photo id to wear style to count."""
    bare = spread(int(planned[2]), np.zeros_like(caps), _bare_room(members, caps))
    wrong = spread(int(planned[1]), bare, caps - bare)
    right = spread(int(planned[0]), bare + wrong, caps - bare - wrong)
    sequences = [_sequence(state, given, types) for state, given in (("wear", right), ("incorrect", wrong))]
    dealt: dict[str, dict[str, int]] = {}
    for number, person in enumerate(members):
        photos = sorted(person.photos, key=_rank)
        worn = [style for styles, ends in sequences for style in styles[ends[number] : ends[number + 1]]]
        styles = [NOT_WEAR] * int(bare[number]) + worn
        for turn, style in enumerate(styles):
            counts = dealt.setdefault(photos[turn % len(photos)], {})
            counts[style] = counts.get(style, 0) + 1
    order = {style: number for number, style in enumerate(list_wear_styles())}
    return {photo: dict(sorted(counts.items(), key=lambda item: order[item[0]])) for photo, counts in dealt.items()}


def _sequence(state: str, given: Integers, types: tuple[str, ...]) -> tuple[list[str], Integers]:
    """The styles of a mask state's variants, mixed evenly by how common they are, and where each person's begin."""
    weights = styles_of(state, types)
    total = int(given.sum())
    exact = np.array(list(weights.values())) * total / sum(weights.values())
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: total - int(counts.sum())]] += 1
    places = [(np.arange(count) + 0.5) / count for count in counts.tolist()]
    names = np.repeat(np.array(list(weights)), counts)
    mixed = names[np.argsort(np.concatenate(places), kind="stable")].tolist() if total else []
    return mixed, np.concatenate([[0], np.cumsum(given)])


def _limits(members: list[Person], caps: list[int], bare: int) -> list[str]:
    """Why a group has no more of each of STATES, should it be short of it."""
    if not members:
        return ["no photo of such a person"] * len(STATES)
    full = f"{len(members)} people give {sum(caps)} variants at most"
    n_bare = int(_bare_room(members, np.array(caps, dtype=np.int64)).sum())
    return [full, full, f"{n_bare} photos give as many bare ones" if bare == n_bare else full]

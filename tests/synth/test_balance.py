"""Balancing classes: shares, caps, evenness, shortfalls, and the plan as a file."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import SynthUsageError
from synth.balance import STATES, BalancePlan, FaceClass, Person, balance, resolve_target, spread
from synth.balance_file import is_balance_file, read_balance, write_balance
from synth.errors import OutputError
from synth.plans import styles_of
from synth.wear import mask_state_of

OLD_MEN = [FaceClass(state, "male", "60_plus") for state in STATES]


def people(count: int, photos: int = 1, gender: str = "male", age_group: str = "60_plus") -> list[Person]:
    names = [f"a:{gender}-{age_group}-{number}" for number in range(count)]
    return [Person(name, gender, age_group, tuple(f"{name}/{n}.jpg" for n in range(photos))) for name in names]


def by_state(plan: BalancePlan) -> Counter[str]:
    made: Counter[str] = Counter()
    for styles in plan.photos.values():
        for style, count in styles.items():
            made[mask_state_of(style)] += count
    return made


def by_person(plan: BalancePlan) -> Counter[str]:
    made: Counter[str] = Counter()
    for photo, styles in plan.photos.items():
        made[photo.rpartition("/")[0]] += sum(styles.values())
    return made


def test_every_class_reaches_the_target_where_people_suffice() -> None:
    present = dict(zip(OLD_MEN, (30, 5, 48), strict=True))
    plan = balance(people(10), present, target=50)
    assert [(goal.of.mask, goal.planned, goal.short, goal.why) for goal in plan.classes] == [
        ("wear", 20, 0, ""),
        ("incorrect", 45, 0, ""),
        ("not_wear", 2, 0, ""),
    ]
    assert by_state(plan) == {"wear": 20, "incorrect": 45, "not_wear": 2}


def test_where_people_do_not_suffice_the_rarest_classes_grow_and_the_rest_is_said_to_be_short() -> None:
    present = dict(zip(OLD_MEN, (30, 5, 48), strict=True))
    plan = balance(people(4), present, target=50, cap=5)
    assert [(goal.planned, goal.short) for goal in plan.classes] == [(0, 20), (20, 25), (0, 2)]
    assert all(goal.why == "4 people give 20 variants at most" for goal in plan.classes)


def test_a_photo_is_used_bare_once() -> None:
    plan = balance(people(3, photos=2), {}, target=40, cap=20)
    assert all(styles["not_wear"] == 1 for styles in plan.photos.values())
    wear, incorrect, bare = plan.classes
    assert (bare.planned, bare.short, bare.why) == (6, 34, "6 photos give as many bare ones")
    assert (wear.planned, incorrect.planned) == (27, 27)


def test_classes_without_people_and_full_classes_get_nothing() -> None:
    women = [FaceClass(state, "female", "60_plus") for state in STATES]
    plan = balance(people(5), {**dict.fromkeys(OLD_MEN, 99), **dict.fromkeys(women, 1)}, target=99)
    assert not plan.photos
    assert {(goal.of.gender, goal.short, goal.why) for goal in plan.classes} == {
        ("male", 0, ""),
        ("female", 98, "no photo of such a person"),
    }


def test_wrong_ways_are_as_common_as_people_wear_masks_so() -> None:
    plan = balance(people(300), {OLD_MEN[0]: 1000, OLD_MEN[2]: 1000}, target=1000)
    made: Counter[str] = Counter()
    for styles in plan.photos.values():
        made.update(styles)
    common = styles_of("incorrect")
    assert sum(made.values()) == 1000
    for style, weight in common.items():
        assert abs(made[style] - 1000 * weight / sum(common.values())) <= 1


def test_ways_in_which_no_type_can_be_worn_are_not_planned() -> None:
    plan = balance(people(30), {OLD_MEN[0]: 99, OLD_MEN[2]: 99}, target=99, types=("scarf", "n95_cup"))
    styles = {style for styles in plan.photos.values() for style in styles}
    assert styles == set(styles_of("incorrect", ["scarf", "n95_cup"]))
    assert "hanging" not in styles
    assert all(plan.plan_of(photo, ("scarf", "n95_cup")) for photo in plan.photos)
    assert sum(goal.planned for goal in plan.classes) == 99


def test_a_plan_by_hand_that_no_type_suits_is_explained() -> None:
    with pytest.raises(SynthUsageError, match="none of these mask types can be worn hanging: scarf"):
        BalancePlan({"a": {"hanging": 2}}).plan_of("a", ("scarf",))


@st.composite
def crowds(draw: st.DrawFn) -> list[Person]:
    counts = draw(st.lists(st.integers(1, 4), min_size=1, max_size=12))
    groups = st.sampled_from([("male", "60_plus"), ("female", "under_30")])
    crowd = []
    for number, photos in enumerate(counts):
        gender, age_group = draw(groups)
        crowd.append(Person(f"p{number}", gender, age_group, tuple(f"p{number}/{n}" for n in range(photos))))
    return crowd


@settings(max_examples=80, deadline=None, derandomize=True)
@given(crowd=crowds(), target=st.integers(1, 60), cap=st.integers(1, 12), seed=st.integers(0, 99))
def test_whatever_is_asked(crowd: list[Person], target: int, cap: int, seed: int) -> None:
    rng = random.Random(seed)
    groups = [("male", "60_plus"), ("female", "under_30")]
    present = {FaceClass(state, *group): rng.randint(0, 30) for group in groups for state in STATES}
    plan = balance(crowd, present, target, cap)
    made, totals = by_state(plan), by_person(plan)
    assert all(count <= cap for count in totals.values())
    assert sum(goal.planned for goal in plan.classes) == sum(made.values())
    assert all(goal.present + goal.planned <= max(goal.present, target) for goal in plan.classes)
    assert all(bool(goal.why) == (goal.short > 0) for goal in plan.classes)
    assert all(styles.get("not_wear", 0) <= 1 for styles in plan.photos.values())
    worn: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for person in crowd:  # worn variants can go to anybody, so only bare ones may make a difference above one
        bare = sum(plan.photos.get(photo, {}).get("not_wear", 0) for photo in person.photos)
        worn[person.gender, person.age_group][person.person_id] = totals[person.person_id] - bare
        others = [p for p in crowd if (p.gender, p.age_group) == (person.gender, person.age_group)]
        if worn[person.gender, person.age_group][person.person_id]:
            assert all(totals[other.person_id] >= totals[person.person_id] - 1 for other in others)
    shuffled = [Person(p.person_id, p.gender, p.age_group, tuple(rng.sample(p.photos, len(p.photos)))) for p in crowd]
    rng.shuffle(shuffled)
    assert balance(shuffled, present, target, cap) == plan


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), min_size=1, max_size=8), total=st.integers(0, 60)
)
def test_spreading_raises_the_lowest(pairs: list[tuple[int, int]], total: int) -> None:
    levels, room = np.array(pairs, dtype=np.int64).T
    given_out = spread(total, levels, room)
    assert int(given_out.sum()) == min(total, int(room.sum()))
    assert np.all((given_out >= 0) & (given_out <= room))
    raised = levels + given_out
    could_take_more = raised[given_out < room]
    assert not len(could_take_more) or np.all(raised[given_out > 0] <= could_take_more.min() + 1)


def test_one_person_in_two_age_groups_has_one_cap() -> None:
    young = Person("a:x", "male", "30_to_59", ("a:x/1",))
    old = Person("a:x", "male", "60_plus", ("a:x/2",))
    assert by_person(balance([young, old], {}, target=100, cap=7)) == {"a:x": 7}


@pytest.mark.parametrize(("cap", "target"), [(0, 5), (101, 5), (5, 0)])
def test_caps_and_targets_out_of_range(cap: int, target: int) -> None:
    with pytest.raises(SynthUsageError, match=r"expected a (cap|target) from 1"):
        balance(people(1), {}, target, cap)


def test_a_photo_of_two_people_is_a_mistake() -> None:
    two = [Person("a", "male", "60_plus", ("x",)), Person("b", "male", "60_plus", ("x",))]
    with pytest.raises(SynthUsageError, match="more than one person"):
        balance(two, {}, 5)


def test_targets() -> None:
    present = dict(zip(OLD_MEN, (3, 9, 4), strict=True))
    assert [resolve_target(text, present) for text in ("max", "median", "2000")] == [9, 4, 2000]
    for text in ("0", "-3", "most", "1e3", "99999999999"):
        with pytest.raises(SynthUsageError, match="max or median"):
            resolve_target(text, present)
    with pytest.raises(SynthUsageError, match="as a number"):
        resolve_target("max", dict.fromkeys(OLD_MEN, 0))


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_plan_is_the_same_after_writing_and_reading(tmp_path: Path, suffix: str) -> None:
    odd = Person("a:odd", "male", "60_plus", ('a:"qu\\o"té\n\x7f/日本.jpg', "a:plain.jpg"))
    plan = balance([*people(3), odd], dict(zip(OLD_MEN, (3, 9, 4), strict=True)), target=30, cap=6)
    path = write_balance(plan, tmp_path / "deep" / f"plan{suffix}")
    assert read_balance(path) == plan
    assert read_balance(path).assigned() == plan.assigned()
    assert is_balance_file(str(path))
    assert path.read_text(encoding="utf-8").count("\n") > len(plan.photos)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_photos_plan_and_what_stands_for_all() -> None:
    plan = BalancePlan({"a": {"correct": 2, "chin": 1}, "b": {}})
    own = plan.plan_of("a", ("kf94",))
    assert own is not None
    assert own.keys == ["wear1", "wear2", "incorrect1"]
    assert {slot.types for slot in own.slots} == {("kf94",)}
    assert plan.plan_of("b") is plan.plan_of("c") is None
    assert plan.assigned() == BalancePlan({"a": {"chin": 1, "correct": 2}}).assigned()
    others = [BalancePlan({"a": {"correct": 2}}).assigned(), plan.assigned(("kf94",))]
    assert plan.assigned() not in others


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[photos", "no TOML"),
        ("target = 3", r"needs \[photos\]"),
        ("size = 3\n[photos]", "nothing else"),
        ("[photos]\n'a' = 3", "a needs a table"),
        ("[photos]\n'a' = {cheek = 1}", "a has the unknown wear style 'cheek': expected one of correct"),
        ("[photos]\n'a' = {chin = -1}", "a, chin is a whole number from 0, not -1"),
        ("[photos]\n'a' = {chin = true}", "not True"),
        ("[photos]\n'a' = {chin = 101}", "101 variants, over 100"),
        ("target = 'all'\n[photos]", "target is a whole number"),
        ("classes = 3\n[photos]", "classes is a table"),
        ("[classes]\n'wear/male' = {}\n[photos]", "expected mask/gender/age_group"),
    ],
)
def test_a_file_of_another_form_is_explained(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(SynthUsageError, match=told):
        read_balance(path)


def test_files_that_cannot_be(tmp_path: Path) -> None:
    plan = balance(people(1), {}, 3)
    with pytest.raises(SynthUsageError, match=r"\.toml or \.json"):
        write_balance(plan, tmp_path / "plan.yaml")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write the plan"):
        write_balance(plan, tmp_path / "file" / "plan.toml")
    with pytest.raises(SynthUsageError, match="can't be read"):
        read_balance(tmp_path / "none.toml")
    assert not is_balance_file(str(tmp_path / "none.toml"))


def test_edits_count(tmp_path: Path) -> None:
    path = write_balance(balance(people(1), {}, 3), tmp_path / "plan.toml")
    path.write_text(path.read_text() + '"a:new.jpg" = {nose_out = 2, chin = 0}\n')
    assert read_balance(path).photos["a:new.jpg"] == {"nose_out": 2}

"""Plans: what each photo gets, by name, by option, by file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import SynthUsageError, list_mask_types, list_wear_styles
from synth.looks import mask_type
from synth.plans import Plan, Slot, custom_plan, get_plan, list_plans, styles_of
from synth.wear import mask_state_of


def orders(plan: Plan, seed: int = 0):
    return plan.orders(np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(20))
def test_competition_is_five_worn_one_incorrect_one_bare(seed: int) -> None:
    made = orders(get_plan("competition"), seed)
    assert [order.key for order in made] == [*(f"wear{i}" for i in range(1, 6)), "incorrect1", "not_wear1"]
    assert Counter(mask_state_of(order.wear_style) for order in made) == {"wear": 5, "incorrect": 1, "not_wear": 1}
    worn = made[:5]
    assert {order.wear_style for order in worn} == {"correct"}
    assert len({order.mask_type for order in worn}) == 5
    assert made[5].mask_type in list_mask_types()
    assert made[6].mask_type == ""


def test_over_many_photos_every_type_comes_up_about_as_often() -> None:
    made = [order for seed in range(600) for order in orders(get_plan("competition"), seed)]
    types = Counter(order.mask_type for order in made if order.mask_type)
    assert set(types) == set(list_mask_types())
    assert max(types.values()) < 1.25 * min(types.values())


def test_wrong_ways_come_up_as_often_as_people_wear_masks_so() -> None:
    incorrect = Plan("x", (get_plan("competition").slots[1],))
    made = Counter(orders(incorrect, seed)[0].wear_style for seed in range(3000))
    common = styles_of("incorrect")
    assert set(made) == set(common) == {style for style in list_wear_styles() if mask_state_of(style) == "incorrect"}
    for style, weight in common.items():
        assert made[style] / 3000 == pytest.approx(weight / sum(common.values()), abs=0.035)
    assert made["nose_out"] > made["chin"]


def test_weights_in_a_file_and_as_many_as_styles(tmp_path: Path) -> None:
    plan = get_plan(save(tmp_path, "faces = 'largest'\n[[variants]]\nwear = {nose_out = 3, chin = 0.5}\ncount = 70"))
    assert plan == Plan("mine", (Slot(("nose_out", "chin"), 70, (), (3.0, 0.5)),), faces="largest")
    made = Counter(order.wear_style for seed in range(30) for order in orders(plan, seed))
    assert made["nose_out"] / 2100 == pytest.approx(6 / 7, abs=0.04)
    with pytest.raises(SynthUsageError, match="one weight for each"):
        Slot(("nose_out", "chin"), weights=(1.0,))


def test_the_plan_in_the_documentation_is_one() -> None:
    plan = get_plan(str(Path(__file__).parents[2] / "docs" / "plan.toml"))
    assert {mask_state_of(order.wear_style) for order in orders(plan)} == {"wear", "incorrect", "not_wear"}


def test_options_keep_weights_and_the_face_policy() -> None:
    base = Plan("x", (Slot.weighted({"nose_out": 3, "chin": 1}, 2),), faces="refuse")
    narrowed = custom_plan(base, [], ["kf94"])
    assert narrowed.slots == (Slot(("nose_out", "chin"), 2, ("kf94",), (3.0, 1.0)),)
    assert narrowed.faces == "refuse"


@pytest.mark.parametrize("name", list_plans())
def test_a_plan_makes_as_many_as_it_says_with_its_keys(name: str) -> None:
    plan = get_plan(name)
    made = orders(plan)
    assert len(made) == plan.per_photo == len({order.key for order in made})
    assert [order.key for order in made] == plan.keys
    assert orders(plan) == made


def test_all_styles_has_every_style_once() -> None:
    assert sorted(order.wear_style for order in orders(get_plan("all-styles"))) == sorted(list_wear_styles())


def test_an_unknown_plan_lists_the_known() -> None:
    with pytest.raises(SynthUsageError) as caught:
        get_plan("everything")
    assert all(name in str(caught.value) for name in list_plans())


def save(folder: Path, text: str | bytes) -> str:
    path = folder / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_a_plan_from_a_file(tmp_path: Path) -> None:
    text = """
        [[variants]]
        wear = ["nose_out", "chin"]
        count = 3
        types = ["kf94"]
        [[variants]]
        wear = "correct"
    """
    plan = get_plan(save(tmp_path, text))
    assert plan == Plan("mine", (Slot(("nose_out", "chin"), 3, ("kf94",)), Slot(("correct",), 1, ())))
    made = orders(plan)
    assert [order.key for order in made] == ["incorrect1", "incorrect2", "incorrect3", "wear1"]
    assert {order.mask_type for order in made[:3]} == {"kf94"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wear = [", "no TOML"),
        (b"\xff\xfe\x00", "no TOML"),
        ("", r"\[\[variants\]\]"),
        ("variants = 3", r"\[\[variants\]\]"),
        ("variants = [1, 2]", r"\[\[variants\]\]"),
        ("variants = []", "at least one"),
        ("[[variants]]\nwear = 'correct'\ncolour = 'red'", "unknown keys colour"),
        ("[[variants]]\ncount = 2", "wear style"),
        ("[[variants]]\nwear = []", "wear style"),
        ("[[variants]]\nwear = 7", "names"),
        ("[[variants]]\nwear = {}", "wear style"),
        ("[[variants]]\nwear = {chin = 'often'}", "weights are numbers"),
        ("[[variants]]\nwear = {chin = true}", "weights are numbers"),
        ("[[variants]]\nwear = {chin = 0}", "above 0.*chin 0"),
        ("[[variants]]\nwear = {chin = -1, nose_out = 2}", "above 0.*chin -1"),
        ("[[variants]]\nwear = {chin = nan}", "above 0"),
        ("[[variants]]\nwear = {chin = inf}", "above 0"),
        ("[[variants]]\nwear = {chin = 2, correct = 1}", "one mask state"),
        ("[[variants]]\nwear = {cheek = 2}", "unknown wear style 'cheek'"),
        ("faces = 'both'\n[[variants]]\nwear = 'chin'", "unknown face policy 'both'"),
        ("faces = 2\n[[variants]]\nwear = 'chin'", "faces"),
        ("size = 2\n[[variants]]\nwear = 'chin'", "unknown keys size"),
        ("[[variants]]\nwear = 'correct'\ncount = '2'", "whole number"),
        ("[[variants]]\nwear = 'correct'\ncount = true", "whole number"),
        ("[[variants]]\nwear = 'correct'\ncount = 0", "from 1 to"),
        ("[[variants]]\nwear = 'correct'\ncount = 100000", "from 1 to"),
        ("[[variants]]\nwear = 'correct'\ntypes = 'kf94x'", "names"),
        ("[[variants]]\nwear = 'correct'\ntypes = ['kf94x']", "unknown mask type 'kf94x': expected one of.*kf94"),
        ("[[variants]]\nwear = 'wrong'", "unknown wear style 'wrong': expected one of.*nose_out"),
        ("[[variants]]\nwear = ['correct', 'chin']", "one mask state"),
    ],
)
def test_a_file_of_another_form_is_explained(tmp_path: Path, text: str | bytes, told: str) -> None:
    with pytest.raises(SynthUsageError, match=f"(?s){told}"):
        get_plan(save(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SynthUsageError, match="can't be read"):
        get_plan(str(tmp_path / "none.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(SynthUsageError, match="can't be read"):
        get_plan(str(tmp_path / "folder.toml"))


def test_wear_options_replace_the_slots() -> None:
    plan = custom_plan(get_plan("competition"), ["nose_out:2", "not_wear"], [])
    assert plan.slots == (Slot(("nose_out",), 2), Slot(("not_wear",), 1))


def test_types_narrow_the_slots_that_are_there() -> None:
    plan = custom_plan(get_plan("competition"), [], ["kf94", "black"])
    assert plan.per_photo == 7
    assert {order.mask_type for seed in range(5) for order in orders(plan, seed)} == {"kf94", "black", ""}


def test_without_options_the_plan_stays_itself() -> None:
    assert custom_plan(get_plan("wear"), [], []) is get_plan("wear")


@pytest.mark.parametrize(
    ("wear", "types", "told"),
    [
        (["nose"], [], "nose_out"),
        (["correct:"], [], "style:count"),
        (["correct:x"], [], "style:count"),
        (["correct:-1"], [], "style:count"),
        (["correct:0"], [], "from 1 to"),
        (["correct:101"], [], "from 1 to"),
        ([], ["veil"], "surgical"),
        (["correct"], ["kf94", ""], "surgical"),
    ],
)
def test_options_that_mean_nothing_are_explained(wear: list[str], types: list[str], told: str) -> None:
    with pytest.raises(SynthUsageError, match=told):
        custom_plan(get_plan("competition"), wear, types)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(count=st.integers(1, 20), types=st.lists(st.sampled_from(list_mask_types()), unique=True), seed=st.integers(0))
def test_no_type_repeats_before_all_were_used(count: int, types: list[str], seed: int) -> None:
    made = orders(Plan("x", (Slot(("correct",), count, tuple(types)),)), seed)
    allowed = types or list_mask_types()
    used = Counter(order.mask_type for order in made)
    assert set(used) <= set(allowed)
    assert max(used.values()) - min(used[kind] for kind in allowed) <= 1


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    styles=st.lists(st.sampled_from([*styles_of("incorrect")]), min_size=1, unique=True),
    types=st.lists(st.sampled_from(list_mask_types()), unique=True),
    count=st.integers(1, 30),
    seed=st.integers(0),
)
def test_a_type_is_only_worn_as_it_can_be(styles: list[str], types: list[str], count: int, seed: int) -> None:
    names = [*types, "surgical"] if types else types
    made = orders(Plan("x", (Slot(tuple(styles), count, tuple(dict.fromkeys(names))),)), seed)
    assert all(mask_type(order.mask_type).suits(order.wear_style) for order in made)
    assert {order.mask_type for order in made} <= set(names or list_mask_types())


@pytest.mark.parametrize("seed", range(10))
def test_what_does_not_suit_one_style_is_kept_for_the_next(seed: int) -> None:
    plan = Plan("x", (Slot(("chin_out", "nose_out"), 40, ("scarf", "kf94")),))
    made = [(order.wear_style, order.mask_type) for order in orders(plan, seed)]
    assert ("chin_out", "scarf") not in made
    # Two that a scarf can't do have passed it over at least once: it is the next that can be worn with the nose out.
    for (first, _), (second, _), (third, kind) in zip(made, made[1:], made[2:], strict=False):
        if (first, second, third) == ("chin_out", "chin_out", "nose_out"):
            assert kind == "scarf"


def test_types_that_no_style_of_a_slot_suits_are_refused() -> None:
    with pytest.raises(SynthUsageError, match="none of these mask types can be worn hanging: n95_cup, scarf"):
        Slot(("nose_out", "hanging"), types=("n95_cup", "scarf"))
    with pytest.raises(SynthUsageError, match="worn chin_out: scarf"):
        custom_plan(get_plan("competition"), ["chin_out"], ["scarf"])


def test_narrowed_to_a_scarf_a_plan_leaves_out_what_a_scarf_does_not_do() -> None:
    wrong = custom_plan(get_plan("competition"), [], ["scarf"]).slots[1]
    assert dict(zip(wrong.wear, wrong.weights, strict=True)) == styles_of("incorrect", ["scarf"])
    assert {"nose_out", "chin"} <= set(wrong.wear) <= set(styles_of("incorrect")) - {"chin_out", "hanging"}


def test_parameters_tell_plans_apart() -> None:
    plans = [get_plan(name) for name in list_plans()] + [custom_plan(get_plan("wear"), [], ["kf94"])]
    plans += [Plan("w", (Slot.weighted({"nose_out": 1, "chin": w}),)) for w in (2, 3)]
    assert len({str(plan.parameters()) for plan in plans}) == len(plans)

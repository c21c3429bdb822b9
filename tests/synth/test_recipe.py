from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth import recipe
from synth.framing import Size
from synth.plans import get_plan
from synth.recipe import recipe_id, variant_seed
from synth.run import Settings

VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())


@settings(max_examples=40, deadline=None, derandomize=True)
@given(parameters=st.dictionaries(st.text(), VALUES))
def test_a_recipe_is_hex_and_does_not_depend_on_order(parameters: dict[str, object]) -> None:
    made = recipe_id(parameters)
    assert re.fullmatch(r"[0-9a-f]{16}", made)
    assert made == recipe_id(dict(reversed(parameters.items())))
    assert made != recipe_id({**parameters, "one more": 1})


def test_the_engines_version_is_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = recipe_id({"a": 1})
    monkeypatch.setattr(recipe, "ENGINE_VERSION", "another")
    assert recipe_id({"a": 1}) != before


def test_a_seed_moves_with_each_thing_it_stands_for() -> None:
    base = (0, "ab" * 32, "wear1", "0" * 16)
    others = [(1, *base[1:]), (0, "cd" * 32, *base[2:]), (*base[:2], "wear2", base[3]), (*base[:3], "f" * 16)]
    seeds = {variant_seed(*given) for given in (base, *others)}
    assert len(seeds) == 5
    assert variant_seed(*base) == variant_seed(*base)
    assert all(0 <= seed < 2**62 for seed in seeds)


def test_an_identity_moves_with_every_setting_that_moves_a_byte() -> None:
    plan = get_plan("wear")
    made = [
        Settings(plan),
        Settings(get_plan("competition")),
        Settings(plan, size=Size(384, 512)),
        Settings(plan, seed=1),
        Settings(plan, quality=80),
        Settings(plan, faces="largest"),
    ]
    assert len({each.identity() for each in made}) == len(made)
    assert Settings(plan).identity() == Settings(plan).identity()

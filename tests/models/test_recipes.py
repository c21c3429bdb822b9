from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest

from models.classifier import build_classifier, check_model_name
from models.errors import SettingsError
from models.recipes import RECIPES, made_of, settings_of
from models.settings import TrainSettings

BACKBONES = [each for each in RECIPES.values() if each.kind == "backbone"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_changes_what_it_says_and_nothing_else(name: str) -> None:
    recipe = RECIPES[name]
    made, plain = made_of([name]).to_dict(), TrainSettings().to_dict()
    changed = {each for each in made if made[each] != plain[each]}
    assert changed <= set(recipe.settings)
    assert {each: made[each] for each in recipe.settings} == dict(recipe.settings)
    assert recipe.about


def test_any_two_recipes_can_be_combined_unless_they_say_why_not() -> None:
    refused = {}
    for pair in permutations(RECIPES, 2):
        try:
            made_of(pair)
        except SettingsError as error:
            refused[pair] = str(error)
    # A model that doesn't answer the age can't answer it in years.
    parts, ages = ("mask-gender", "mask-only", "gender-only"), ("age-regression", "age-both", "age-ordinal")
    assert set(refused) == {(part, age) for part in parts for age in ages}
    assert all("needs head triple and the part age_group" in each for each in refused.values())


def test_of_two_that_disagree_the_later_decides_and_what_is_typed_stands_above() -> None:
    assert settings_of(["smooth", "plain"])["label_smoothing"] == 0.0
    assert settings_of(["plain", "smooth"])["label_smoothing"] == 0.1
    assert settings_of(["plain", "smooth"], {"label_smoothing": 0.3})["label_smoothing"] == 0.3


def test_weights_of_ones_own_replace_published_ones(tmp_path: Path) -> None:
    own = made_of(["efficientnet-b3"], {"weights": tmp_path / "b3.safetensors"})
    assert not own.pretrained
    with pytest.raises(SettingsError, match="give one of them"):
        made_of(["efficientnet-b3"], {"weights": tmp_path / "b3.safetensors", "pretrained": True})


def test_a_recipe_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match=r"no recipe named 'effnet': palette train --list shows them \(small, "):
        made_of(["effnet"])


@pytest.mark.parametrize("recipe", BACKBONES, ids=lambda each: each.name)
def test_backbones_are_known_to_timm_with_weights_of_that_name(recipe: object) -> None:
    settings = made_of([recipe.name])  # type: ignore[attr-defined]
    check_model_name(settings.model)
    import timm

    base = settings.model.partition(".")[0]
    assert timm.list_pretrained(f"{base}.*")


def test_the_small_backbone_is_small() -> None:
    settings = made_of(["small", "three-heads"])
    built = build_classifier(settings.model, settings.layout, settings.image_size)
    assert sum(each.numel() for each in built.network.parameters()) < 2e6

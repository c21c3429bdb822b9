from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from datasets.labels import N_LABELS
from models.blending import Blend, blend_from
from models.chances import of_heads, of_labels
from models.ensembles import fit_stacking, make_ensemble
from models.errors import OutOfFoldError, SettingsError
from models.heads import to_codes
from models.oof import OutOfFold
from models.scoring import score
from models.shares import fit_head_shares, fit_shares, pick_shares
from tests.models.oof_builders import noisy, table_of


def members(count: int = 900, seed: int = 0, useless: bool = True) -> dict[str, OutOfFold]:
    """Two members that err apart from each other, and one that knows nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_LABELS, count)
    made = {name: table_of(labels, noisy(labels, rng, 2.2)) for name in ("one", "two")}
    if useless:
        made["useless"] = table_of(labels, rng.dirichlet(np.ones(N_LABELS), count))
    return made


def f1(table: OutOfFold) -> float:
    return score(table.truth, table.chances.codes()).macro_f1


def test_an_ensemble_beats_its_members_out_of_fold() -> None:
    tables = members(useless=False)
    made = make_ensemble(tables)
    assert made.chosen.macro_f1 > max(f1(each) for each in tables.values()) + 0.03
    assert made.chosen.macro_f1 == f1(made.chosen.table)
    assert [each.name for each in made.candidates] == ["mean", "weighted", "weighted_f1", "stacking"]
    assert made.chosen.macro_f1 == max(each.macro_f1 for each in made.candidates)
    told = json.loads(json.dumps(made.to_dict()))
    assert told["members"]["one"]["macro_f1"] == f1(tables["one"])
    assert set(told["ensembles"]) == {"mean", "weighted", "weighted_f1", "stacking"}


def test_a_useless_member_gets_next_to_nothing() -> None:
    tables = members()
    shares = fit_shares(tables)
    assert shares["useless"] < 0.06
    assert shares["one"] == pytest.approx(shares["two"], abs=0.12)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) >= 0
    assert pick_shares(tables)["useless"] < 0.2
    by_name = {each.name: each for each in make_ensemble(tables).candidates}
    assert by_name["weighted"].log_loss is not None
    assert by_name["mean"].log_loss is not None
    assert by_name["weighted"].log_loss < by_name["mean"].log_loss


def test_a_member_that_is_surely_wrong_gets_nothing_and_is_not_asked() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, N_LABELS, 400)
    tables = {
        "good": table_of(labels, noisy(labels, rng, 3.0)),
        "wrong": table_of(labels, noisy((labels + 1) % N_LABELS, rng, 6.0)),
    }
    for shares in (fit_shares(tables), pick_shares(tables)):
        assert shares["good"] > 0.9
    assert fit_shares(tables)["wrong"] < 0.02


def test_a_run_with_years_may_be_the_only_one_that_counts_in_a_fold() -> None:
    rng = np.random.default_rng(6)
    labels = rng.integers(0, N_LABELS, 400)
    aged = table_of(labels, noisy(labels, rng, 2.0))
    aged = aged.with_chances(replace(aged.chances, years=rng.uniform(0, 90, 400)))
    # Right on the first fold alone: what is fitted without that fold leaves it out, what is fitted with it doesn't.
    right = np.where(aged.folds == 0, labels, (labels + 1) % N_LABELS)
    tables = {"aged": aged, "fair": table_of(labels, noisy(right, rng, 9.0))}
    fitted = [fit_shares({n: each.take(each.folds != fold) for n, each in tables.items()}) for fold in (0, 1)]
    assert fitted[0]["fair"] == 0 < fitted[1]["fair"]
    made = make_ensemble(tables, "weighted")
    assert made.candidates[0].table.chances.years is None
    assert len(made.candidates[0].table) == 400


def test_the_shares_are_those_that_made_the_truth() -> None:
    rng = np.random.default_rng(4)
    one, two = (rng.dirichlet(np.ones(N_LABELS) * 0.3, 6000) for _ in range(2))
    mixed = 0.7 * one + 0.3 * two
    labels = (mixed.cumsum(axis=1) > rng.random((6000, 1))).argmax(axis=1)
    shares = fit_shares({"one": table_of(labels, one), "two": table_of(labels, two)})
    assert shares["one"] == pytest.approx(0.7, abs=0.03)


def test_stacking_undoes_a_known_mix_up() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, N_LABELS, 900)
    # One member calls each class by its neighbour's name: no mean helps, a regression does.
    tables = {
        "shifted": table_of(labels, noisy((labels + 1) % N_LABELS, rng, 4.0)),
        "weak": table_of(labels, noisy(labels, rng, 0.5)),
    }
    made = make_ensemble(tables)
    assert made.chosen.name == "stacking"
    assert made.chosen.macro_f1 > 0.8 > 2 * max(each.macro_f1 for each in made.candidates[:3])


def test_each_fold_is_answered_by_what_was_fitted_on_the_others() -> None:
    tables = members(400)
    (made,) = make_ensemble(tables, "stacking").candidates
    others = {name: each.take(each.folds != 2) for name, each in tables.items()}
    inside = {name: each.take(each.folds == 2).chances for name, each in tables.items()}
    expected = fit_stacking(others).apply(inside)
    assert np.allclose(np.asarray(made.table.take(made.table.folds == 2).chances.label), np.asarray(expected.label))


def test_noise_stacked_is_seen_through() -> None:
    rng = np.random.default_rng(6)
    labels = rng.integers(0, N_LABELS, 300)
    tables = {name: table_of(labels, rng.dirichlet(np.ones(N_LABELS), 300)) for name in ("a", "b")}
    assert make_ensemble(tables, "stacking").chosen.macro_f1 < 0.12


def test_stacking_keeps_to_the_regression_and_survives_json() -> None:
    rng = np.random.default_rng(7)
    labels = np.where(rng.random(200) < 0.5, 3, 11)
    tables = {name: table_of(labels, noisy(labels, rng, 2.0)) for name in ("a", "b")}
    stacking = fit_stacking(tables)
    assert stacking.classes == (3, 11)
    blend = blend_from(json.loads(json.dumps(Blend("stacking", stacking=stacking).to_dict())))
    label = np.asarray(blend.apply({name: each.chances for name, each in tables.items()}).label)
    assert label.sum(axis=1) == pytest.approx(1.0)
    assert label[:, [3, 11]].sum(axis=1) == pytest.approx(1.0)
    assert (label.argmax(axis=1) == labels).mean() > 0.9


def test_models_of_other_heads_make_one_together() -> None:
    whole = members(200, useless=False)["one"]
    heads = whole.chances.heads
    tables = {
        "faces": whole.with_chances(of_heads({"mask": heads["mask"], "gender": heads["gender"]})),
        "ages": whole.with_chances(of_heads({"age_group": heads["age_group"]})),
    }
    made = make_ensemble(tables)
    assert [each.name for each in made.candidates] == ["mean"]
    assert made.chosen.table.chances.label is not None
    assert set(made.members) == {"faces", "ages"}
    with pytest.raises(SettingsError, match="weighted needs two members that answer the same"):
        make_ensemble(tables, "weighted")
    with pytest.raises(SettingsError, match="stacking needs members that each answer"):
        make_ensemble(tables, "stacking")


def parts_of(tables: dict[str, OutOfFold]) -> dict[str, OutOfFold]:
    """Two runs for mask and gender, of which one knows nothing, and one for the age group."""
    heads = {name: each.chances.heads for name, each in tables.items()}
    looks = {name: of_heads({head: heads[name][head] for head in ("mask", "gender")}) for name in ("one", "useless")}
    told = {**looks, "ages": of_heads({"age_group": heads["two"]["age_group"]})}
    return {name: tables["one"].with_chances(each) for name, each in told.items()}


def test_of_runs_for_some_heads_those_that_answer_the_same_are_weighed() -> None:
    tables = parts_of(members(600))
    by_name = {each.name: each for each in make_ensemble(tables).candidates}
    assert set(by_name) == {"mean", "weighted"}
    weights = by_name["weighted"].blend.weights
    assert weights is not None
    assert weights["useless"] < 0.1 * weights["one"]
    assert weights["ages"] > 0, "nobody else answers it"
    assert by_name["weighted"].macro_f1 > by_name["mean"].macro_f1 + 0.01
    others = {name: each.take(each.folds != 1) for name, each in tables.items()}
    inside = {name: each.take(each.folds == 1).chances for name, each in tables.items()}
    expected = Blend("weighted", fit_head_shares(others)).apply(inside)
    table = by_name["weighted"].table
    assert np.allclose(np.asarray(table.take(table.folds == 1).chances.label), np.asarray(expected.label))


def test_the_weights_of_a_head_are_those_that_made_its_truth() -> None:
    rng = np.random.default_rng(4)
    one, two = (rng.dirichlet(np.ones(N_LABELS) * 0.3, 6000) for _ in range(2))
    labels = ((0.7 * one + 0.3 * two).cumsum(axis=1) > rng.random((6000, 1))).argmax(axis=1)
    whole, other = table_of(labels, one), table_of(labels, two)
    looks = other.with_chances(of_heads({name: other.chances.heads[name] for name in ("mask", "gender")}))
    shares = fit_head_shares({"whole": whole, "looks": looks})
    assert shares["whole"] == pytest.approx(0.7, abs=0.04)


def test_a_run_for_some_heads_that_is_surely_wrong_is_left_out_unless_it_is_alone() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, N_LABELS, 400)
    right, wrong = (table_of(labels, noisy(each, rng, 12.0)) for each in (labels, (labels + 9) % N_LABELS))
    masks = [each.with_chances(of_heads({"mask": each.chances.heads["mask"]})) for each in (right, wrong)]
    ages = wrong.with_chances(of_heads({"age_group": wrong.chances.heads["age_group"]}))
    shares = fit_head_shares({"right": masks[0], "wrong": masks[1], "ages": ages})
    assert shares["wrong"] == 0 < shares["ages"]


def test_runs_for_other_heads_are_compared_by_the_same_photos() -> None:
    """Real faces without masks: what answers masks alone would be judged by variants, ages alone by photos."""
    tables = parts_of(members(300))
    for each in tables.values():
        each.synthetic[:150] = True
        each.truth[150:, 0] = 2
    made = make_ensemble(tables)
    rows = tables["ages"].synthetic
    ages = tables["ages"].take(rows)
    assert tables["ages"].headline == "real"
    assert made.members["ages"][0] == score(ages.truth, ages.chances.codes()).macro_f1
    assert made.chosen.table.headline == "synthetic"


def test_what_cannot_be_judged_is_not_fitted() -> None:
    tables = {name: each.take(each.folds == 0) for name, each in members(120).items()}
    assert [each.name for each in make_ensemble(tables).candidates] == ["mean"]
    with pytest.raises(SettingsError, match="in two folds at least"):
        make_ensemble(tables, "weighted")


def test_folds_without_labels_are_none_to_fit_on() -> None:
    tables = members(200, useless=False)
    for each in tables.values():
        each.truth[each.folds != 0, 2] = -1
    assert [each.name for each in make_ensemble(tables).candidates] == ["mean"]
    for how in ("weighted", "stacking"):
        with pytest.raises(SettingsError, match="all three labels in two folds at least"):
            make_ensemble(tables, how)


def test_auto_leaves_out_the_stacking_of_one_class() -> None:
    rng = np.random.default_rng(8)
    # Without the first fold, one class is left.
    labels = np.where(np.arange(120) % 4 == 0, rng.integers(0, N_LABELS, 120), 3)
    tables = {name: table_of(labels, noisy(labels, rng, 2.0)) for name in ("a", "b")}
    assert [each.name for each in make_ensemble(tables).candidates] == ["mean", "weighted", "weighted_f1"]
    with pytest.raises(SettingsError, match="stacking needs two classes"):
        make_ensemble(tables, "stacking")


def test_one_run_or_an_unknown_way_is_refused() -> None:
    tables = members(60)
    with pytest.raises(OutOfFoldError, match="two runs at least"):
        make_ensemble({"one": tables["one"]})
    with pytest.raises(SettingsError, match="not 'sum'"):
        make_ensemble(tables, "sum")  # type: ignore[arg-type]


def test_variants_are_answered_but_shape_nothing_where_photos_are() -> None:
    tables = members(400)
    for each in tables.values():
        each.synthetic[::2] = True
    lied = {
        name: OutOfFold(
            each.photo_ids,
            each.folds,
            each.synthetic,
            np.where(each.synthetic[:, None], to_codes((each.labels + 5) % N_LABELS), each.truth),
            of_labels(np.asarray(each.chances.label)),
        )
        for name, each in tables.items()
    }
    one, other = (make_ensemble(each, "weighted").candidates[0] for each in (tables, lied))
    assert one.blend.weights == other.blend.weights
    assert len(one.table) == 400

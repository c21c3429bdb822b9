from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.labels import N_LABELS
from models.blending import Blend, blend_from, codes_of
from models.chances import of_heads, of_labels
from models.cutoffs import KINDS, Cutoffs, Kind, choose_cutoffs, fit_cutoffs
from models.errors import SettingsError
from models.heads import HEADS, SIZES, to_codes
from models.oof import OutOfFold
from models.scoring import score
from tests.models.oof_builders import noisy, random_table, table_of


def f1(table: OutOfFold, cutoffs: Cutoffs) -> float:
    return score(table.truth, cutoffs.apply(table.chances)).macro_f1


def of_classes(cutoffs: Cutoffs) -> NDArray[np.float64]:
    """(18,) what each class is weighed by."""
    mask, gender, age = (cutoffs.heads.get(name, np.ones(size)) for name, size in zip(HEADS, SIZES, strict=True))
    heads: NDArray[np.float64] = (mask[:, None, None] * gender[:, None] * age).reshape(-1)
    return heads if cutoffs.label is None else heads * cutoffs.label


def skewed(count: int = 1200, seed: int = 0) -> OutOfFold:
    """Answers whose logits lean against the last age group, as those of a model that saw few of them do."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, N_LABELS, count)
    bias = np.where(to_codes(np.arange(N_LABELS))[:, 2] == 2, -2.5, 0.0)
    return table_of(labels, noisy(labels, rng, 2.0, bias))


@pytest.mark.parametrize("kind", KINDS)
def test_they_undo_a_known_lean_and_hold_on_folds_they_have_not_seen(kind: Kind) -> None:
    table = skewed()
    plain = score(table.truth, table.chances.codes()).macro_f1
    cutoffs = fit_cutoffs(table, kind)
    assert f1(table, cutoffs) > plain + 0.04
    weights = of_classes(cutoffs).reshape(3, 2, 3)
    # exp(2.5) = 12.2 is what makes the last age group whole again.
    against = weights[:, :, 2].mean() / weights[:, :, :2].mean()
    assert 6 < against < 25
    fresh = skewed(seed=1)
    assert f1(fresh, cutoffs) > score(fresh.truth, fresh.chances.codes()).macro_f1 + 0.05


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_they_are_never_worse_than_the_likeliest_where_they_were_fitted(kind: Kind, seed: int) -> None:
    table = random_table(90, skill=1.0, seed=seed)
    assert f1(table, fit_cutoffs(table, kind)) >= score(table.truth, table.chances.codes()).macro_f1


def test_a_gain_out_of_fold_is_kept() -> None:
    chosen = choose_cutoffs(skewed())
    assert chosen.cutoffs is not None
    assert chosen.kind in KINDS
    assert chosen.gain > 0.05
    assert chosen.nested[chosen.kind] == score(skewed().truth, chosen.codes).macro_f1
    assert chosen.fitted >= chosen.nested[chosen.kind]


def test_what_only_fits_its_own_rows_is_not_kept() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, N_LABELS, 150)
    table = table_of(labels, rng.dirichlet(np.ones(N_LABELS), 150))
    chosen = choose_cutoffs(table, ["classes"])
    assert chosen.fitted > chosen.plain + 0.03, "noise can be fitted"
    assert chosen.nested["classes"] < chosen.fitted - 0.03, "and does not hold"
    if chosen.nested["classes"] <= chosen.plain:
        assert chosen.cutoffs is None
        assert (chosen.codes == table.chances.codes()).all()


def test_answers_that_are_right_already_get_none() -> None:
    table = random_table(300, skill=30.0)
    chosen = choose_cutoffs(table)
    assert (chosen.plain, chosen.cutoffs, chosen.gain) == (1.0, None, 0.0)
    assert chosen.to_dict()["kept"] is None


def test_one_fold_is_no_evidence() -> None:
    table = skewed(600)
    chosen = choose_cutoffs(table.take(table.folds == 0))
    assert chosen.cutoffs is None
    assert chosen.nested == {}


def test_each_fold_is_answered_without_its_own_truth() -> None:
    table = skewed(800)
    codes = choose_cutoffs(table, ["heads"]).codes
    others = fit_cutoffs(table.take(table.folds != 1), "heads")
    assert (codes[table.folds == 1] == others.apply(table.take(table.folds == 1).chances)).all()


def test_heads_apart_are_fitted_apart() -> None:
    table = skewed()
    some = table.with_chances(of_heads({name: table.chances.heads[name] for name in ("mask", "age_group")}))
    cutoffs = fit_cutoffs(some)
    assert cutoffs.label is None
    assert set(cutoffs.heads) == {"mask", "age_group"}
    answers = cutoffs.apply(some.chances)
    assert (answers[:, HEADS.index("gender")] == -1).all()
    assert score(some.truth, answers).macro_f1 > score(some.truth, some.chances.codes()).macro_f1 + 0.03
    with pytest.raises(SettingsError, match="need models that answer"):
        fit_cutoffs(some, "classes")
    assert set(choose_cutoffs(some).nested) == {"heads"}


def test_variants_are_answered_but_not_fitted_on_where_photos_are() -> None:
    table = skewed(900)
    table.synthetic[::3] = True
    real = table.take(~table.synthetic)
    whole, alone = choose_cutoffs(table, ["heads"]), choose_cutoffs(real, ["heads"])
    assert whole.nested == alone.nested
    assert len(whole.codes) == 900
    assert (whole.codes[~table.synthetic] == alone.codes).all()


def test_a_class_is_weighed_by_all_that_speak_of_it() -> None:
    chances = of_labels(np.full((1, N_LABELS), 1 / N_LABELS))
    label = np.ones(N_LABELS)
    label[4] = 2.0
    assert Cutoffs(label).apply(chances).tolist() == to_codes(np.array([4])).tolist()
    both = Cutoffs(label, {"mask": np.array([1.0, 1.0, 3.0]), "gender": np.array([1.0, 1.5])})
    assert both.apply(chances).tolist() == [[2, 1, 0]]


def test_a_team_answers_with_them_as_they_were_fitted() -> None:
    table = skewed(400)
    for kind in KINDS:
        cutoffs = fit_cutoffs(table, kind)
        told = json.loads(json.dumps(Blend(cutoffs=cutoffs.factors).to_dict()))
        assert (codes_of(table.chances, blend_from(told).cutoffs) == cutoffs.apply(table.chances)).all()
        assert (Cutoffs().apply(table.chances) == table.chances.codes()).all()


def test_missing_truth_is_passed_over() -> None:
    table = skewed(600)
    table.truth[::2, 0] = -1
    known = table.take(table.truth[:, 0] != -1)
    assert (of_classes(fit_cutoffs(table)) == of_classes(fit_cutoffs(known))).all()


@pytest.mark.parametrize("whole", [True, False])
def test_what_the_rows_never_show_is_not_weighed_away(whole: bool) -> None:
    """Bare faces alone say nothing of masks: their cut-offs must not make a model blind to them."""
    rng = np.random.default_rng(3)
    labels = rng.integers(12, N_LABELS, 600)
    table = table_of(labels, noisy(labels, rng, 1.0, bias=np.where(np.arange(N_LABELS) % 3 == 2, -2.0, 0.0)))
    if not whole:
        table = table.with_chances(of_heads({name: table.chances.heads[name] for name in ("mask", "age_group")}))
    cutoffs = fit_cutoffs(table)
    assert np.allclose(cutoffs.heads["mask"], 1)
    assert cutoffs.heads["age_group"][2] > 1.5 * cutoffs.heads["age_group"].min()
    if whole:
        assert np.allclose(of_classes(fit_cutoffs(table, "classes")), 1)
        assert choose_cutoffs(table).kind == "heads"

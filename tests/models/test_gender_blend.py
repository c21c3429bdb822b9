"""A network's say beside the embedding's: kept where it is better on people held out, and left alone where it isn't."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.calibration import log_losses
from models.gender import pseudo_label
from models.gender_blend import Heard, NetworkAnswers
from models.gender_fit import GenderFit, learn_gender
from tests.models.builders import embeddings_of, row, save_rows

COUNT = 240


def learned(gap: float, *, silent: int = 0, foreign: bool = False, seed: int = 0) -> tuple[GenderFit, Any]:
    """Of people whose embeddings tell a little, beside a network whose log-odds are `gap` apart by gender."""
    rng = np.random.default_rng(seed)
    genders = np.resize(["male", "female"], COUNT)
    logits = rng.normal(size=COUNT) + gap * np.where(genders == "female", 1, -1)
    logits[:silent] = np.nan
    sources = np.where(np.arange(COUNT) < COUNT // 2, "one", "two")
    heard = Heard(logits, np.full(COUNT, foreign) & (sources == "one"))
    people = np.array([f"p{at}" for at in range(COUNT)])
    fit = learn_gender(
        embeddings_of(genders, rng, 1.0), genders, people, seed, precision=0.9, sources=sources, network=heard
    )
    return fit, genders == "female"


def test_a_network_that_knows_more_is_kept_and_its_figures_are_those_of_what_is_said() -> None:
    fit, female = learned(1.5, silent=40)
    told = fit.network
    assert told is not None
    assert told["kept"]
    assert told["judged_on"] == []
    assert told["people"] == COUNT - 40
    assert told["blend"]["log_loss"] < min(told["embedding"]["log_loss"], told["network"]["log_loss"])
    said = fit.female[40:]
    assert told["blend"]["log_loss"] == pytest.approx(log_losses(said, female[40:].astype(np.int64)).mean())
    assert told["blend"]["accuracy"] == ((said >= 0.5) == female[40:]).mean()
    assert told["blend"]["coverage"] == fit.decided[40:].mean()
    # Of whom the network says nothing the embedding speaks alone.
    alone, _ = learned(0.0, silent=40)
    np.testing.assert_array_equal(fit.female[:40], alone.female[:40])


def test_a_network_that_knows_nothing_changes_nothing() -> None:
    fits = [learned(0.0, seed=seed)[0] for seed in range(4)]
    left_out = [fit for fit in fits if fit.blend is None]
    # By chance one may seem to know something.
    assert len(left_out) >= 3
    for fit in left_out:
        assert fit.network is not None
        assert not fit.network["kept"]
        assert "not surely better" in fit.network["reason"]
        assert set(fit.network) >= {"embedding", "network", "blend"}


def test_people_of_sources_that_neither_has_seen_decide() -> None:
    told = learned(1.5, foreign=True)[0].network
    assert told is not None
    assert told["judged_on"] == ["one"]
    assert told["people"] == COUNT // 2


def test_a_network_that_speaks_of_too_few_is_not_judged() -> None:
    fit, _ = learned(3.0, silent=COUNT - 18)
    assert fit.blend is None
    assert fit.network == {
        "kept": False,
        "reason": "the network could be asked about too few people to judge it",
        "people": 18,
    }


def test_a_person_is_decided_by_the_photos_the_network_speaks_of() -> None:
    blend = learned(1.5)[0].blend
    assert blend is not None
    one = blend.decide(np.array([0.2]), np.array([1.0]))
    assert blend.decide(np.array([0.2, -9.0]), np.array([1.0, np.nan])) == one
    swayed = blend.decide(np.array([0.2]), np.array([-3.0]))
    assert swayed.said == "male"
    assert one.said == "female"


def test_who_is_filled_in_goes_by_both(tmp_path: Any) -> None:
    from datasets.manifest import read_manifest

    rng = np.random.default_rng(0)
    rows, embeddings, held_out, asked = [], {}, {}, {}
    genders = np.resize(["male", "female"], COUNT + 60)
    vectors = embeddings_of(genders, rng, 0.7)
    for at, gender in enumerate(genders):
        known = {"gender": gender} if at < COUNT else {}
        rows.append(row(f"{at}.png", f"p{at}", mask="not_wear", **known))
        photo_id = rows[-1]["photo_id"]
        embeddings[photo_id] = vectors[at]
        (held_out if at < COUNT else asked)[photo_id] = float(rng.normal() + 2 * (1 if gender == "female" else -1))
    frame = read_manifest(save_rows(tmp_path, rows))
    silent = sorted(asked)[0]
    del asked[silent]
    network = NetworkAnswers(held_out, frozenset(), asked)
    alone = pseudo_label(frame, embeddings, precision=0.9)
    both = pseudo_label(frame, embeddings, precision=0.9, network=network)
    assert alone.report["network"] is None
    assert both.report["network"]["kept"]
    assert both.report["people_filled"] > alone.report["people_filled"] + 10
    filled = both.manifest.iloc[COUNT:]
    made = filled["gender"].notna().to_numpy()
    assert (filled["gender"].to_numpy()[made] == genders[COUNT:][made]).mean() > 0.85
    one, other = (each.decided.set_index("photo_id").loc[silent] for each in (alone, both))
    assert one["confidence"] == other["confidence"]

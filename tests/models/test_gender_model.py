"""The model of gender by itself: how it scores, decides, and is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import EmbeddingError, GenderModelError
from models.gender_model import NEVER, GenderModel, age_band, check_faces, kernel, sigmoid


def plain_model(**changes: Any) -> GenderModel:
    """A model of two parts, of 2 and 3 numbers, with four support vectors; its scores are Platt's exponents."""
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        "mean": rng.normal(size=5),
        "scale": rng.uniform(0.5, 2, 5),
        "support": rng.normal(size=(4, 5)),
        "dual": rng.normal(size=(2, 4)),
        "blocks": (2, 3),
        "width": 0.7,
        "intercept": 0.3,
        "platt_slope": 1.0,
        "platt_offset": 0.0,
        "threshold": 0.8,
    }
    return GenderModel(**values | changes)


def test_a_score_is_the_sum_over_parts_and_support_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    model, faces = plain_model(), np.random.default_rng(1).normal(size=(7, 5))
    expected = []
    for face in (faces - model.mean) / model.scale:
        score = model.intercept
        for dual, part in zip(model.dual, (slice(0, 2), slice(2, 5)), strict=True):
            for weight, support in zip(dual, model.support, strict=True):
                gap = ((face[part] - support[part]) ** 2).mean()
                score += weight * np.exp(-model.width * gap)
        expected.append(score)
    np.testing.assert_allclose(model.score(faces), expected, rtol=1e-12)
    monkeypatch.setattr("models.gender_model._CHUNK", 3)
    np.testing.assert_allclose(model.score(faces), expected, rtol=1e-12)
    assert model.score(faces[:0]).shape == (0,)


def test_a_decision_is_made_from_the_threshold_on_by_the_mean_of_the_scores() -> None:
    model = plain_model()
    sure = float(sigmoid(np.array([0.5]))[0])
    assert replace(model, threshold=sure).decide(np.array([2.0, -1.0])) == ("female", sure, "female")
    assert replace(model, threshold=np.nextafter(sure, 1)).decide(np.array([2.0, -1.0])) == (None, sure, "female")
    assert replace(model, threshold=0.6).decide(np.array([-2.0])).gender == "male"
    assert replace(model, threshold=NEVER).decide(np.array([50.0])).gender is None


def test_bands_of_age_begin_where_they_say_and_have_their_own_calibration() -> None:
    ages = [0.0, 19.99, 20.0, 59.99, 60.0, 117.0, np.nan]
    names = ["under 20", "under 20", "20 to 59", "20 to 59", "60 and over", "60 and over", ""]
    assert [age_band(age) for age in ages] == names
    model = plain_model(by_age={"20 to 59": (2.0, 1.0, 0.6)})
    np.testing.assert_array_equal(model.thresholds_for(np.array([19.0, 20.0, np.nan])), [0.8, 0.6, 0.8])
    told = model.probability_of_score(np.array([0.4, 0.4, 0.4]), np.array([19.0, 20.0, np.nan]))
    np.testing.assert_allclose(told, 1 / (1 + np.exp([-0.4, -1.8, -0.4])))
    np.testing.assert_allclose(model.probability_of_score(np.array([0.4])), told[:1])
    assert model.decide(np.array([0.0]), 30.0).gender == "female"
    assert model.decide(np.array([0.0])).gender is None
    assert model.thresholds_for(np.zeros(0)).shape == (0,)


def test_probabilities_are_of_male_and_female_in_this_order() -> None:
    model, faces = plain_model(), np.random.default_rng(2).normal(size=(9, 5))
    told = model.predict_proba(faces)
    np.testing.assert_allclose(told.sum(axis=1), 1)
    np.testing.assert_array_equal(told[:, 1] > 0.5, model.score(faces) > 0)


def test_a_file_of_another_format_or_of_arrays_that_do_not_fit_is_named(tmp_path: Path) -> None:
    plain_model().save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as stored:
        arrays = {name: stored[name] for name in stored}
    head = json.loads(str(arrays["head"]))
    assert GenderModel.load(tmp_path / "model.npz").blocks == (2, 3)
    changes = {
        "format": {"head": np.array(json.dumps(head | {"format": 2}))},
        "blocks": {"head": np.array(json.dumps(head | {"blocks": [2, 2]}))},
        "machines": {"dual": arrays["dual"][:1]},
        "support": {"support": arrays["support"][:3]},
        "scale": {"scale": arrays["scale"][:4]},
        "mean": {"mean": arrays["mean"][:4]},
        "flat": {"dual": arrays["dual"][0]},
    }
    for name, change in changes.items():
        path = tmp_path / f"{name}.npz"
        np.savez(path, **arrays | change)  # type: ignore[arg-type]
        with pytest.raises(GenderModelError, match="another format"):
            GenderModel.load(path)


def test_faces_are_checked() -> None:
    assert check_faces(np.zeros((2, 3), np.float16)).dtype == np.float64
    for faces in (np.zeros((2, 0)), np.zeros(3), np.zeros((1, 2, 3))):
        with pytest.raises(EmbeddingError, match=r"expected embeddings of shape \(N, D\)"):
            check_faces(faces)
    with pytest.raises(EmbeddingError, match=r"\(N, 4\)"):
        check_faces(np.zeros((2, 3)), 4)


def test_the_kernel_is_one_of_a_face_with_itself_and_sinks_with_distance() -> None:
    faces = np.array([[0.0, 0.0], [1.0, 0.0], [30.0, 40.0]])
    np.testing.assert_allclose(kernel(faces, faces[:1], 0.5)[:, 0], [1, np.exp(-0.25), 0], atol=1e-12)

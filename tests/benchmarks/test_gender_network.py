from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.gender_data import Known
from benchmarks.gender_figures import accuracy
from benchmarks.gender_network import alone, heard, together
from models.gender_fit import learn_gender
from tests.models.builders import embeddings_of


def known(count: int, first: int = 0) -> list[Known]:
    return [Known(Path(f"{first + at}.jpg"), ("female", "male")[at % 2], 40) for at in range(count)]


def test_the_network_alone_and_the_blend_answer_by_file_and_fall_back_where_it_is_silent() -> None:
    rng = np.random.default_rng(0)
    taught, tried = known(300), known(100, first=300)
    genders = np.array([each.gender for each in taught + tried])
    logits = rng.normal(size=400) + np.where(genders == "female", 2.0, -2.0)
    said = dict(zip([each.path for each in taught + tried], logits.tolist(), strict=True))
    asked = {each.path: said[each.path] for each in tried[1:]}
    held_out = {each.path: said[each.path] for each in taught[5:]}
    faces = embeddings_of(genders.tolist(), rng, 1.0).astype(np.float64)
    names = np.array([str(each.path) for each in taught])
    fit = learn_gender(faces[:300], genders[:300], names, precision=0.9, network=heard(held_out, taught))
    assert fit.network is not None
    assert fit.network["people"] == 295
    assert fit.blend is not None
    network = alone(held_out, asked, taught, 0, 0.9)(faces[300:], tried)
    both = together(fit, asked, 10)(faces[300:], tried)
    assert network.female[0] == 0.5
    assert not network.made[0]
    assert accuracy(network) > 0.9
    assert accuracy(both) >= 0.93
    np.testing.assert_allclose(both.female[0], fit.model.predict_proba(faces[300:301], np.array([40.0]))[0, 1])
    children = [Known(each.path, each.gender, 5) for each in tried]
    assert not together(fit, asked, 10)(faces[300:], children).made.any()

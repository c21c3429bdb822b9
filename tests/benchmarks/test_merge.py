from __future__ import annotations

from benchmarks.merge import FILES, TWINS, digest, made_up, make_inputs
from datasets.merge import merge


def test_made_up_rows_share_bytes_with_the_next_source_and_nothing_else():
    sources = [made_up(source, 400, 3) for source in range(3)]
    twins = int(400 * TWINS)
    for source, frame in enumerate(sources):
        following = sources[(source + 1) % 3]
        assert frame["sha256"].isin(following["sha256"]).sum() >= twins
        assert frame["photo_id"].is_unique
        assert (frame.groupby("person_id").size() == 4).all()
        assert frame["label"].notna().all()


def test_a_small_merge_of_them_writes_the_same_bytes_over_its_result(tmp_path):
    inputs = make_inputs(tmp_path, 600, 2)
    assert len(list((inputs[0] / "photos").iterdir())) == FILES
    result = merge(inputs, tmp_path, rules="competition")
    before = digest(tmp_path)
    assert set(result.refusals["reason"]) <= {"duplicate", "label_conflict"}
    assert len(result.manifest) + len(result.refusals) == 600
    merge([*inputs[::-1], tmp_path], tmp_path, rules="competition")
    assert digest(tmp_path) == before

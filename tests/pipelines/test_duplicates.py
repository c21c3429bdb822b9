"""The duplicates stage and its command: copies by their pixels, people by their faces, and a merge that knows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from datasets.duplicates.table import read_duplicates
from datasets.manifest import (
    Refusal,
    make_manifest,
    make_refusals,
    read_manifest,
    read_refusals,
    write_manifest,
    write_refusals,
)
from pipelines import faces
from pipelines.cli import run
from pipelines.duplicates import DuplicatesOptions, duplicates_stage, faces_to_embed
from tests.datasets.builders import encode
from tests.datasets.duplicates.scenes import copied, photo_row, scene


class NoEmbedder:
    """Stands in where embeddings are made up and no face is looked at."""

    def embed(self, rgb: Any, landmarks: Any, /) -> Any:
        raise AssertionError("no face should be embedded")


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """Four photos of four people, and a source with a mirrored copy of the first and two others."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    originals = [encode(Image.fromarray(scene(seed)), quality=92) for seed in range(4)]
    rows = [photo_row(ours, f"{i}.jpg", data, source="ours", gender="male") for i, data in enumerate(originals)]
    copies = {"m.jpg": copied(scene(0), mirrored=True), "8.jpg": copied(scene(8)), "9.jpg": copied(scene(9))}
    others = [photo_row(theirs, name, data, source="theirs", gender="female") for name, data in copies.items()]
    write_manifest(make_manifest(rows), ours)
    write_manifest(make_manifest(others), theirs)
    return [ours, theirs]


def made_up_faces(near: dict[str, str], refused: str) -> Any:
    """An `embed_photos` by which the photos of `near` look like their values, and one has no face."""

    def embed(photos: pd.DataFrame, files: list[Path], _: Any, **__: Any) -> faces.Embedded:
        rows = {}
        for name, file in zip(photos["photo_id"], files, strict=True):
            assert file.name == name.partition(":")[2]
            vector = np.random.RandomState(sum(near.get(name, name).encode())).normal(size=128).astype(np.float32)
            rows[name] = vector + (0.01 if name in near else 0)
        gone = [faces.Refusal(name, "embed", "no_face", "") for name in rows if name == refused]
        return faces.Embedded({name: row for name, row in rows.items() if name != refused}, gone, 0)

    return embed


def test_copies_and_people_are_found(sources: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    near = {"theirs:8.jpg": "ours:2.jpg", "theirs:m.jpg": "ours:0.jpg"}
    monkeypatch.setattr(faces, "embed_photos", made_up_faces(near, "ours:3.jpg"))
    out, told = tmp_path / "dups", []
    result = duplicates_stage(
        sources,
        out,
        DuplicatesOptions(people=True),
        embedder=NoEmbedder(),
        progress=lambda done, total: told.append((done, total)),
    )
    table = read_duplicates(out)
    assert table[["kind", "first", "second", "mirrored", "conflict"]].values.tolist() == [
        ["near", "ours:0.jpg", "theirs:m.jpg", True, "gender male/female"],
        ["same_person", "ours:2.jpg", "theirs:8.jpg", False, "gender male/female"],
    ]
    assert result.summary["pairs"] == {"near": 1, "same_person": 1}
    assert result.summary["joined_people"] == 2
    assert result.summary["largest_person"] == 2
    assert read_refusals(out)["photo_id"].tolist() == ["ours:3.jpg"]
    assert (7, 7) in told


def test_one_bare_face_a_person_is_embedded() -> None:
    photos = pd.DataFrame(
        {
            "photo_id": ["a", "b", "c", "d", "e"],
            "person_id": ["kim", "kim", "kim", "lee", "ann"],
            "mask": ["wear", "not_wear", "not_wear", "incorrect", None],
        }
    )
    assert faces_to_embed(photos)["photo_id"].tolist() == ["b", "e"]


def test_the_command_and_a_merge_that_uses_its_table(
    sources: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = map(str, sources)
    dups, merged = str(tmp_path / "dups"), str(tmp_path / "merged")
    assert run(["duplicates", ours, theirs, "--out", dups, "-j", "1", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["pairs"] == {"near": 1}
    assert summary["conflicts"] == {"near": 1}
    assert run(["merge", ours, theirs, "-o", merged, "--duplicates", dups, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["refusals"] == {"label_conflict": 1}
    assert told["people"] == {"joined": 1, "kept_fold": 0, "new_fold": 6, "moved_fold": 0}
    before = read_manifest(Path(merged)).set_index("photo_id")["fold"]
    assert run(["merge", ours, "-o", merged, "--evaluation", theirs, "--duplicates", dups, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["refusals"] == {"in_evaluation": 1}
    assert told["people"]["kept_fold"] == 3
    after = read_manifest(Path(merged)).set_index("photo_id")["fold"]
    assert after.tolist() == before[after.index].tolist()


def test_no_command_replaces_what_it_reads(
    sources: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = map(str, sources)
    write_refusals(make_refusals([Refusal("ours:x.jpg", "read", "truncated")]), sources[0])
    before = {path: path.read_bytes() for path in (sources[0] / "refusals.csv", sources[1] / "manifest.parquet")}
    for given in ([ours], [f"{ours}/manifest.parquet", theirs], [theirs]):
        assert run(["duplicates", *given, "--out", ours]) == 2
        assert "whose refusals.csv would be replaced" in capsys.readouterr().err
    assert run(["merge", ours, "-o", theirs, "--evaluation", theirs]) == 2
    assert "holds an evaluation set" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in before} == before
    assert not (sources[0] / "duplicates.csv").exists()


def test_wrong_calls_end_with_two(sources: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert run(["duplicates", str(tmp_path / "nothing"), "--out", out]) == 2
    assert "no manifest at" in capsys.readouterr().err
    assert run(["merge", str(sources[0]), "-o", out, "--duplicates", str(tmp_path)]) == 2
    assert "no table of duplicates at" in capsys.readouterr().err
    assert run(["merge", str(sources[0]), "-o", out, "--keep-folds", str(sources[1])]) == 2
    assert "has no folds to keep" in capsys.readouterr().err

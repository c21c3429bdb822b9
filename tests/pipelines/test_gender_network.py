"""Faces cut out for a network, and what the stage makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.manifest import read_manifest
from models.gender_network import NetworkOptions
from pipelines.gender_network import CHIPS, FOLDER, chip_file, cut_faces
from pipelines.pseudo_labels import PseudoLabelOptions, pseudo_label_stage
from tests.pipelines.test_pseudo_labels import GreyEmbedder, manifests  # noqa: F401  a fixture


def photos_of(manifest: Path, count: int) -> dict[str, Path]:
    rows = read_manifest(manifest)
    bare = rows[rows["mask"].eq("not_wear")].head(count)
    return dict(zip(bare["sha256"], [manifest.parent / path for path in bare["path"]], strict=True))


def test_a_face_is_cut_once_and_where_there_is_none_nothing_is(
    manifests: dict[str, Path],  # noqa: F811
    tmp_path: Path,
) -> None:
    photos = photos_of(manifests["all-age-faces"], 2)
    blank = tmp_path / "blank.png"
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(blank)
    changed = "0" * 64  # of no file's bytes
    done: list[tuple[int, int]] = []
    more = photos | {changed: next(iter(photos.values())), "1" * 64: blank, "2" * 64: tmp_path / "missing.jpg"}
    assert cut_faces(more, tmp_path / "chips", 1, lambda *told: done.append(told)) == set(photos)
    assert done[-1] == (5, 5)
    for sha256 in photos:
        with Image.open(chip_file(tmp_path / "chips", sha256)) as chip:
            assert chip.size == (150, 150)
            assert np.asarray(chip).std() > 10
    times = {sha256: chip_file(tmp_path / "chips", sha256).stat().st_mtime_ns for sha256 in photos}
    assert cut_faces(photos, tmp_path / "chips", 1) == set(photos)
    assert times == {sha256: chip_file(tmp_path / "chips", sha256).stat().st_mtime_ns for sha256 in photos}


def test_the_stage_teaches_a_network_and_tells_of_it(
    manifests: dict[str, Path],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = NetworkOptions("test_resnet", image_size=32, epochs=1, device="cpu")
    options = PseudoLabelOptions(network=network)
    few = pseudo_label_stage(manifests, tmp_path / "out", options, embedder=GreyEmbedder())
    assert not few.report["network"]["kept"]
    assert "10 people of each" in few.report["network"]["reason"]
    monkeypatch.setattr("models.machine_fit.MIN_PEOPLE", 2)
    monkeypatch.setattr("models.machine_fit.FOLDS", 3)
    monkeypatch.setattr("models.gender_network.FOLDS", 2)
    monkeypatch.setattr("models.train.plot_run", lambda *_: None)
    monkeypatch.setattr("models.cross_validation._plot", lambda *_: None)
    result = pseudo_label_stage(manifests, tmp_path / "out", options, embedder=GreyEmbedder())
    told = result.report["network"]
    assert {"embedding", "network", "blend", "kept", "judged_on", "people", "weights"} <= set(told)
    root = tmp_path / "out" / FOLDER
    faces = read_manifest(root)
    assert faces["gender"].notna().all()
    assert faces["fold"].notna().all()
    assert all((root / path).is_file() and path.startswith(CHIPS) for path in faces["path"])


def test_a_backbone_that_is_not_there_is_named_before_anything_is_embedded(
    manifests: dict[str, Path],  # noqa: F811
    tmp_path: Path,
) -> None:
    from models.errors import UnknownModelError

    options = PseudoLabelOptions(network=NetworkOptions("resnet81"))
    with pytest.raises(UnknownModelError):
        pseudo_label_stage(manifests, tmp_path / "out", options, embedder=GreyEmbedder())
    assert not (tmp_path / "out" / "faces.npz").exists()

"""Embedding a manifest's photos: once for each content, refusals for the rest."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import synth
from datasets.manifest import make_manifest, read_manifest, write_manifest
from datasets.portraits.draw import draw_person
from datasets.portraits.person import Person
from models.embedding import face_chip
from pipelines import faces
from pipelines.face_boxes import find_box
from pipelines.faces import FINDING, Embedded, Embedder, embed_photos, embedder_version
from pipelines.gender_network import MARGIN, chip_file, cut_faces

EMBEDDING_SIZE = 128


@dataclass
class CountingEmbedder:
    """Embeds a face as its place in the photo, and counts how often it is asked."""

    scale: float = 1.0
    _asked: list[int] = field(default_factory=list)

    def embed(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], /) -> NDArray[np.float32]:
        self._asked.append(1)
        return np.full(EMBEDDING_SIZE, self.scale * float(landmarks.mean()), dtype=np.float32)


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn portrait as a JPEG."""
    path = tmp_path_factory.mktemp("face") / "face.jpg"
    Image.fromarray(draw_person(Person("p1", "female", 35), seed=1)).save(path, quality=92)
    return path


def make_photos(folder: Path, face: Path) -> Path:
    """A manifest of two copies of one face, a photo without a face, a broken one and a missing one."""
    folder.mkdir(parents=True)
    for name in ("a.jpg", "copy.jpg"):
        (folder / name).write_bytes(face.read_bytes())
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(folder / "wall.png")
    (folder / "broken.jpg").write_bytes(face.read_bytes()[:500])
    rows = [row(folder, name) for name in ("a.jpg", "broken.jpg", "copy.jpg", "wall.png")]
    rows.append(row(folder, "a.jpg") | {"photo_id": "folder:gone.jpg", "path": "gone.jpg", "sha256": "0" * 64})
    return write_manifest(make_manifest(rows), folder)


def row(folder: Path, name: str) -> dict[str, Any]:
    """A manifest row of one file."""
    return {
        "photo_id": f"folder:{name}",
        "path": name,
        "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
        "width": 384,
        "height": 512,
        "source": "folder",
        "licence": "CC0-1.0",
        "person_id": f"folder:{name}",
    }


def embed_manifest(manifest: Path, embedder: Embedder, *, only: set[str] | None = None, **options: Any) -> Embedded:
    """Embeds the photos of a manifest, or some of them."""
    rows = read_manifest(manifest)
    rows = rows if only is None else rows[rows["photo_id"].isin(only)]
    return embed_photos(rows, [manifest.parent / path for path in rows["path"]], embedder, **options)


def test_each_content_is_embedded_once_and_then_never_again(tmp_path: Path, face: Path) -> None:
    manifest, embedder = make_photos(tmp_path / "photos", face), CountingEmbedder()
    first = embed_manifest(manifest, embedder, cache=tmp_path / "faces.npz")
    assert set(first.embeddings) == {"folder:a.jpg", "folder:copy.jpg"}
    assert len(embedder._asked) == 1
    assert {(each.photo_id, each.reason) for each in first.refusals} == {
        ("folder:broken.jpg", "truncated"),
        ("folder:wall.png", "no_face"),
        ("folder:gone.jpg", "unreadable"),
    }
    again = embed_manifest(manifest, embedder, cache=tmp_path / "faces.npz")
    assert len(embedder._asked) == 1
    assert again.reused == 3
    assert again.refusals == first.refusals
    for name, vector in first.embeddings.items():
        np.testing.assert_array_equal(vector, again.embeddings[name])


def test_a_changed_file_is_refused_not_embedded_under_the_old_hash(tmp_path: Path, face: Path) -> None:
    manifest = make_photos(tmp_path / "photos", face)
    Image.open(face).rotate(3).save(tmp_path / "photos" / "a.jpg")
    found = embed_manifest(manifest, CountingEmbedder(), cache=tmp_path / "faces.npz", only={"folder:a.jpg"})
    assert [each.reason for each in found.refusals] == ["changed"]
    assert found.embeddings == {}


def test_another_embedder_does_not_get_the_first_ones_answers(tmp_path: Path, face: Path) -> None:
    manifest = make_photos(tmp_path / "photos", face)
    one, two = CountingEmbedder(), CountingEmbedder(scale=2.0)
    assert embedder_version(one) != embedder_version(two)
    first = embed_manifest(manifest, one, cache=tmp_path / "faces.npz").embeddings["folder:a.jpg"]
    second = embed_manifest(manifest, two, cache=tmp_path / "faces.npz").embeddings["folder:a.jpg"]
    np.testing.assert_allclose(second, 2 * first)


def test_what_was_embedded_before_a_kill_is_kept(tmp_path: Path, face: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make_photos(tmp_path / "photos", face)
    monkeypatch.setattr(faces, "SAVE_EVERY", 1)

    def interrupt(done: int, total: int) -> None:
        assert total == 5
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_manifest(manifest, CountingEmbedder(), cache=tmp_path / "faces.npz", progress=interrupt)
    # Each batch is a part of its own; what was written before is not written again.
    assert not (tmp_path / "faces.npz").exists()
    assert len(list((tmp_path / "faces.parts").iterdir())) == 1
    second = CountingEmbedder()
    assert embed_manifest(manifest, second, cache=tmp_path / "faces.npz").embeddings
    assert second._asked == []
    assert not (tmp_path / "faces.parts").exists()
    embed_manifest(manifest, CountingEmbedder(), cache=tmp_path / "whole.npz")
    assert (tmp_path / "faces.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def beside_a_larger_one(face: Path) -> NDArray[np.uint8]:
    """A photo with a face in its middle and a larger one at its left edge."""
    portrait = np.asarray(Image.open(face))
    small = np.asarray(Image.fromarray(portrait).resize((portrait.shape[1] * 4 // 5, portrait.shape[0] * 4 // 5)))
    height, width = portrait.shape[:2]
    photo = np.full((height, 3 * width, 3), 128, np.uint8)
    photo[:, :width] = portrait
    left, top = (photo.shape[1] - small.shape[1]) // 2, (height - small.shape[0]) // 2
    photo[top : top + small.shape[0], left : left + small.shape[1]] = small
    return photo


def test_whoever_asks_for_a_face_gets_the_one_in_the_middle_though_another_is_larger(
    face: Path, tmp_path: Path
) -> None:
    path = tmp_path / "two.png"
    photo = beside_a_larger_one(face)
    Image.fromarray(photo).save(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    middle = photo.shape[1] / 2
    row = faces.embed_file(sha256, path, CentreEmbedder()).row
    assert row is not None
    assert abs(row[0] - middle) < photo.shape[1] / 12
    x, _, width, _ = find_box(tmp_path / "landmarks", (sha256, path)).box or (0, 0, 0, 0)
    assert x < 0.5 < x + width
    with Image.open(chip_of(path, sha256, tmp_path)) as chip:
        seen = np.asarray(chip)
    meant = faces.find_meant(photo)
    assert meant is not None
    expected = face_chip(photo, meant.landmarks, MARGIN).astype(int)
    assert np.abs(seen.astype(int) - expected).mean() < 3


def chip_of(path: Path, sha256: str, folder: Path) -> Path:
    """The file that the network of genders learns from."""
    assert cut_faces({sha256: path}, folder, 1) == {sha256}
    return chip_file(folder, sha256)


class CentreEmbedder:
    """Embeds a face as where it is."""

    def embed(self, rgb: NDArray[np.uint8], landmarks: NDArray[np.floating[Any]], /) -> NDArray[np.float32]:
        return landmarks.mean(0).astype(np.float32)


def test_of_two_faces_the_one_in_the_middle_is_meant_though_the_other_is_larger(face: Path) -> None:
    photo = beside_a_larger_one(face)
    width = photo.shape[1] / 3
    found = faces.find_likely(photo)
    meant = faces.find_meant(photo)
    assert len(found) == 2
    assert meant is not None
    np.testing.assert_array_equal(meant.box, found[1].box)
    assert abs(meant.landmarks[:, 0].mean() - photo.shape[1] / 2) < width / 4
    assert faces.find_meant(np.full((200, 200, 3), 90, np.uint8)) is None


def test_workers_do_not_change_the_answer(tmp_path: Path, face: Path) -> None:
    manifest = make_photos(tmp_path / "photos", face)
    alone = embed_manifest(manifest, CountingEmbedder(), cache=tmp_path / "one.npz", workers=1)
    together = embed_manifest(manifest, CountingEmbedder(), cache=tmp_path / "two.npz", workers=2)
    assert alone.refusals == together.refusals
    assert alone.embeddings.keys() == together.embeddings.keys()
    for name in alone.embeddings:
        np.testing.assert_array_equal(alone.embeddings[name], together.embeddings[name])


def test_every_module_that_a_finding_comes_of_is_known() -> None:
    """What finds and what chooses, and their imports within synth: a change to any of them reads faces anew."""
    folder, plain = Path(synth.__file__).parent, {"synth.arrays", "synth.errors"}
    seen, left = set[str](), ["synth.finder", "synth.choice"]
    while left:
        name = left.pop()
        if name in seen | plain:
            continue
        seen.add(name)
        tree = ast.parse((folder / f"{name.removeprefix('synth.')}.py").read_text(encoding="utf-8"))
        for part in tree.body:
            if isinstance(part, ast.If):  # for the type checker alone
                continue
            left += [
                node.module
                for node in ast.walk(part)
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("synth.")
            ]
    assert seen == set(FINDING)

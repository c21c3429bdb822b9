"""Finding drawn faces; what is found must be where the drawing put it."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from datasets.portraits import Portrait
from synth import Face, FaceFinder, finder
from synth.arrays import FloatArray, RgbImage
from synth.errors import ModelFileError, SynthUsageError
from synth.face import STEADY
from synth.levels import LEVELS, Level

FINDER = FaceFinder()


def miss(found: np.ndarray, portrait: Portrait) -> float:
    """Mean distance of the landmarks to the drawn ones, as a share of the distance between the outer eye corners."""
    wide = np.linalg.norm(portrait.landmarks[45] - portrait.landmarks[36])
    return float(np.linalg.norm(found - portrait.landmarks, axis=1).mean() / wide)


@pytest.mark.parametrize("number", range(3))
def test_landmarks_are_where_the_face_was_drawn(drawn: tuple[Portrait, ...], number: int) -> None:
    faces = FINDER.find(drawn[number].rgb)
    assert len(faces) == 1
    assert faces[0].detector == "hog"
    assert miss(faces[0].landmarks, drawn[number]) < 0.12


def test_a_small_face_in_a_large_photo_is_found_at_full_size(drawn: tuple[Portrait, ...]) -> None:
    wide = np.full((640, 1200, 3), 128, np.uint8)
    wide[200:520, 700:940] = drawn[0].rgb
    face = FINDER.find(wide)[0]
    shifted = face.landmarks - [700, 200]
    assert miss(shifted, drawn[0]) < 0.15


def test_a_photo_larger_than_the_landmarks_need_gives_its_own_pixels(drawn: tuple[Portrait, ...]) -> None:
    large = cv2.resize(drawn[0].rgb, None, fx=7, fy=7, interpolation=cv2.INTER_CUBIC)
    face = FINDER.find(np.asarray(large, np.uint8))[0]
    assert miss(face.landmarks / 7, drawn[0]) < 0.12


def test_the_largest_face_comes_first(drawn: tuple[Portrait, ...]) -> None:
    small = cv2.resize(drawn[1].rgb, (168, 224), interpolation=cv2.INTER_AREA)
    both = np.full((400, 1000, 3), 128, np.uint8)
    both[48:272, 36:204], both[40:360, 600:840] = small, drawn[0].rgb
    faces = FINDER.find(both)
    assert len(faces) == 2
    assert faces[0].box[0] > 500 > faces[1].box[0]


def test_views_that_are_not_contiguous_are_taken(drawn: tuple[Portrait, ...]) -> None:
    mirrored = drawn[0].rgb[:, ::-1]
    assert not mirrored.flags.c_contiguous
    assert len(FINDER.find(mirrored)) == 1


@pytest.mark.parametrize("shape", [(64, 48), (1, 1), (16, 16), (1, 300), (3000, 16)])
def test_there_is_no_face_in_a_flat_picture(shape: tuple[int, int]) -> None:
    assert FINDER.find(np.full((*shape, 3), 90, np.uint8)) == []


def test_the_network_is_asked_only_where_the_fast_detector_finds_nothing(
    drawn: tuple[Portrait, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []

    class Network:
        def find(self, picture: np.ndarray) -> list[object]:
            asked.append(picture.shape)
            return []

    patched = FaceFinder()
    monkeypatch.setitem(patched.__dict__, "_cnn", Network())
    assert patched.find(drawn[0].rgb)
    assert asked == []
    assert patched.find(np.full((500, 700, 3), 90, np.uint8)) == []
    assert [max(shape) for shape in asked] == [level.side for level in LEVELS if level.detector == "cnn"]


def turned_by(portrait: Portrait, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """The portrait with the head rolled clockwise on a larger canvas, and its landmarks there."""
    matrix = cv2.getRotationMatrix2D((120, 160), -degrees, 1.0)
    matrix[:, 2] += [80, 40]
    rgb = cv2.warpAffine(portrait.rgb, matrix, (400, 400), borderValue=(128, 128, 128))
    return np.asarray(rgb, np.uint8), portrait.landmarks @ matrix[:, :2].T + matrix[:, 2]


@pytest.mark.parametrize("degrees", [-90, -45, 30, 60, 90])
def test_heads_on_their_side_are_found(drawn: tuple[Portrait, ...], degrees: float) -> None:
    rgb, landmarks = turned_by(drawn[0], degrees)
    face = FaceFinder(use_cnn=False).find(rgb)[0]
    wide = np.linalg.norm(landmarks[45] - landmarks[36])
    assert np.linalg.norm(face.landmarks - landmarks, axis=1).mean() / wide < 0.12


def levels_under(budget: float | None, shape: tuple[int, int, int] = (900, 900, 3)) -> list[str]:
    return [f"{level.detector}{level.side}" for level, _ in FaceFinder(budget_ms=budget)._levels(shape)]


def test_a_budget_leaves_out_what_does_not_fit() -> None:
    everything = levels_under(None)
    assert levels_under(1e9) == everything
    assert levels_under(0.001) == everything[:1]
    assert levels_under(60.0) == ["hog240", "hog320", "hog320", "hog640"]
    # Too little for the largest size leaves enough for what comes after it.
    assert levels_under(100.0) == ["hog240", "hog320", "hog320", "hog640", "cnn220"]
    assert levels_under(sum(level.cost((900, 900, 3)) for level in LEVELS)) == everything


def test_the_network_costs_more_than_the_fast_detector_on_the_same_pixels() -> None:
    fast, slow = (Level(detector, 220).cost((900, 900, 3)) for detector in ("hog", "cnn"))
    assert slow > 5 * fast > 0


@pytest.mark.parametrize("budget", [0.0, -5.0, float("nan")])
def test_a_budget_of_nothing_is_refused(budget: float) -> None:
    with pytest.raises(SynthUsageError, match="budget"):
        FaceFinder(budget_ms=budget)


def test_what_decides_the_faces_is_in_the_identity() -> None:
    finders = FaceFinder(), FaceFinder(use_cnn=False), FaceFinder(budget_ms=50.0)
    assert len({each.identity() for each in finders}) == 3
    assert FaceFinder().identity() == FaceFinder().identity()


def test_smaller_faces_are_looked_for_beside_a_large_one_where_they_matter(drawn: tuple[Portrait, ...]) -> None:
    small = cv2.resize(drawn[1].rgb, (84, 112), interpolation=cv2.INTER_AREA)
    both = np.full((360, 480, 3), 128, np.uint8)
    both[20:340, 200:440], both[120:232, 60:144] = drawn[0].rgb, small
    assert len(FINDER.find(both)) == 1
    assert len(FINDER.find(both, rivals=0.25)) == 2


class Watched:
    """Stands for the network: shows one face, and counts how often it is asked."""

    def __init__(self, box: tuple[float, ...]) -> None:
        self.box, self.asked = np.array(box), 0

    def find(self, picture: RgbImage) -> list[tuple[FloatArray, float]]:
        """The same box whatever the picture."""
        self.asked += 1
        return [(self.box * picture.shape[1] / 480, 1.0)]


@pytest.mark.parametrize("use_cnn", [True, False])
@pytest.mark.parametrize("aside", [True, False])
def test_the_network_is_asked_as_well_where_somebody_else_is_likelier_meant(
    drawn: tuple[Portrait, ...], aside: bool, use_cnn: bool
) -> None:
    photo = np.full((360, 480, 3), 128, np.uint8)
    photo[20:340, :240] = drawn[0].rgb
    finder, network = FaceFinder(use_cnn=use_cnn), Watched((300, 100, 420, 220))
    finder.__dict__["_cnn"] = network
    asked: list[tuple[int, ...]] = []

    def told(face: Face, shape: tuple[int, ...]) -> bool:
        asked.append(shape)
        return aside

    (alone,) = finder.find(photo, rivals=1.0)
    found = finder.find(photo, rivals=1.0, aside=told)
    assert asked == [photo.shape]
    assert network.asked == (aside and use_cnn)
    # What no landmarks fit is told all the same: somebody is there.
    assert sorted(face.detector for face in found) == (["cnn", "hog"] if aside and use_cnn else ["hog"])
    assert any(np.array_equal(face.box, alone.box) for face in found)
    for face in found:
        if face.detector == "cnn":
            np.testing.assert_allclose(face.box, (300, 100, 420, 220), atol=2)


def test_the_network_is_asked_where_the_rest_of_the_budget_allows_it(drawn: tuple[Portrait, ...]) -> None:
    photo = np.full((360, 480, 3), 128, np.uint8)
    photo[20:340, :240] = drawn[0].rgb
    # The second level finds the face; what the levels between it and the network cost is not spent.
    found, network = sum(level.cost(photo.shape) for level in LEVELS[:2]), Level("cnn", 220).cost(photo.shape)
    for budget, asked in ((found + network - 0.01, 0), (found + network + 0.01, 1)):
        finder = FaceFinder(budget_ms=budget)
        finder.__dict__["_cnn"] = watched = Watched((300, 100, 420, 220))
        finder.find(photo, rivals=1.0, aside=lambda *_: True)
        assert watched.asked == asked


@pytest.mark.parametrize("aside", [True, False])
def test_a_doubtful_face_at_the_side_does_not_keep_the_network_from_being_asked(
    drawn: tuple[Portrait, ...], aside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = np.full((360, 480, 3), 128, np.uint8)
    photo[20:340, :240] = drawn[0].rgb
    # Plausible landmarks that depend on the detector's box, as in a profile.
    monkeypatch.setattr(finder, "STEADY", -1.0)
    asks = FaceFinder()
    asks.__dict__["_cnn"] = watched = Watched((300, 100, 420, 220))
    (face,) = asks.find(photo, rivals=1.0, aside=lambda face, _: aside and face.detector == "hog")
    assert bool(watched.asked) == aside
    assert face.detector == ("cnn" if aside else "hog")


def test_a_face_ahead_keeps_its_landmarks_wherever_the_box_is(drawn: tuple[Portrait, ...]) -> None:
    for portrait in drawn:
        assert FINDER.find(portrait.rgb)[0].spread < STEADY


def test_without_the_network_nothing_is_found_in_a_flat_picture() -> None:
    fast = FaceFinder(use_cnn=False)
    assert fast.find(np.full((300, 300, 3), 90, np.uint8)) == []
    assert "_cnn" not in fast.__dict__


def test_a_face_that_the_network_finds_gets_its_landmarks(drawn: tuple[Portrait, ...]) -> None:
    for portrait in drawn:
        (face,) = FINDER._at(portrait.rgb, Level("cnn", 220))
        assert face.detector == "cnn"
        assert face.score > 0.5
        assert miss(face.landmarks, portrait) < 0.12


@pytest.mark.parametrize("shape", [(31, 200), (200, 31)])
def test_the_network_is_not_asked_about_less_than_it_can_see(shape: tuple[int, int]) -> None:
    fresh = FaceFinder()
    assert fresh._boxes(np.zeros((*shape, 3), np.uint8), Level("cnn", 220)) == []
    assert "_cnn" not in fresh.__dict__


def test_models_stay_behind_when_a_finder_goes_to_another_process(drawn: tuple[Portrait, ...]) -> None:
    assert FINDER.find(drawn[0].rgb)
    assert FINDER._boxes(drawn[0].rgb, Level("cnn", 220))
    sent = pickle.dumps(FINDER)
    assert len(sent) < 1000
    there = pickle.loads(sent)
    assert there.identity() == FINDER.identity()
    assert not {"_hog", "_cnn", "_predictor"} & set(there.__dict__)
    assert there._boxes(drawn[0].rgb, Level("hog", 240))


def test_turns_that_show_one_face_give_it_once(drawn: tuple[Portrait, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    rgb, _ = turned_by(drawn[0], 70)
    fresh, placed = FaceFinder(use_cnn=False), []
    place = FaceFinder._face
    monkeypatch.setattr(FaceFinder, "_face", lambda *given: placed.append(given[3]) or place(*given))
    level = next(level for level in LEVELS if len(level.rolls) > 1)
    seen = [box for picture, _, _ in level.pictures(rgb) for box in fresh._boxes(picture, level)]
    assert len(seen) > 1
    faces = fresh._at(rgb, level)
    assert len(faces) == len(placed) == 1  # landmarks are placed once
    assert faces[0].score == max(score for _, score, _ in seen)


def test_a_file_that_is_not_the_network_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / finder.CNN_FILE).write_bytes(b"not a network")
    monkeypatch.setattr(finder, "model_file", lambda name: tmp_path / name)
    with pytest.raises(ModelFileError, match=r"mmod_human_face_detector\.dat is not dlib's"):
        FaceFinder()._boxes(np.zeros((64, 64, 3), np.uint8), Level("cnn", 220))


def test_a_missing_model_is_named() -> None:
    with pytest.raises(ModelFileError, match=r"no_such\.dat.*install"):
        finder.model_file("no_such.dat")

"""Templates: a folder of PNGs with control points becomes mask types."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from synth.engine import MaskEngine
from synth.errors import SynthUsageError
from synth.looks import draw_look, list_mask_types, load_templates, mask_type, sample_look
from synth.looks.registry import set_own_types, strap_of
from synth.looks.templates import templates_digest, use_templates
from synth.plans import Plan, Slot
from synth.run import Settings
from tests.synth.builders import paint

POINTS = "points = [[10, 30], [100, 10], [190, 30], [170, 130], [100, 145], [30, 130]]\n"


@pytest.fixture(autouse=True)
def only_built_in_types():
    yield
    set_own_types(())


def picture(alpha: bool = True) -> np.ndarray:
    """200x150, red above, green below, as OpenCV's BGRA."""
    made = np.zeros((150, 200, 4), dtype=np.uint8)
    made[:80, :, 2], made[80:, :, 1] = 230, 200
    made[..., 3] = 255
    return made if alpha else made[..., :3]


def template(folder: Path, name: str = "flag", text: str = POINTS, image: np.ndarray | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / f"{name}.png"), picture() if image is None else image)
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_template_becomes_a_mask_type_with_its_own_cut_and_straps(tmp_path: Path) -> None:
    text = POINTS + 'name = "ours"\nattach = "head"\nstrap = [30, 0, 0]\n[cut]\ntop_half = 0.7\nform = "cup"\n'
    assert load_templates(template(tmp_path / "own", text=text)) == ["ours"]
    assert "ours" in list_mask_types()
    assert mask_type("ours").cut.top_half == 0.7
    assert mask_type("ours").cut.form == "cup"
    assert "ours" in list_mask_types("chin_out")
    assert "ours" not in list_mask_types("hanging")
    look = sample_look("ours", np.random.default_rng(0))
    assert strap_of(look).attach == "head"
    assert look.strap[0] == pytest.approx(30, abs=5)


@pytest.mark.parametrize("width", [48, 200, 600])
def test_the_picture_is_laid_between_its_points(tmp_path: Path, width: int) -> None:
    load_templates(template(tmp_path / "own"))
    canvas = draw_look(sample_look("flag", np.random.default_rng(0)), width, 1.5, 0.1)
    rows, columns = canvas.alpha.shape
    assert canvas.alpha[rows // 4 : -rows // 4, columns // 4 : -columns // 4].min() > 0.99
    upper, lower = canvas.albedo[rows // 4, columns // 2], canvas.albedo[3 * rows // 4, columns // 2]
    assert upper[0] > 3 * upper[1]
    assert lower[1] > 3 * lower[0]


def test_what_is_clear_in_the_picture_stays_clear(tmp_path: Path) -> None:
    holed = picture()
    holed[60:100, 80:120, 3] = 0
    load_templates(template(tmp_path / "own", image=holed))
    canvas = draw_look(sample_look("flag", np.random.default_rng(0)), 200, 1.5, 0.0)
    assert canvas.alpha[len(canvas.alpha) // 2, 100] == 0


def test_the_engine_wears_it(tmp_path: Path) -> None:
    load_templates(template(tmp_path / "own"))
    face = paint()
    masked = MaskEngine().mask(face.rgb, landmarks=face.landmarks, mask="flag", seed=1)
    assert masked.mask_type == "flag"
    changed = masked.rgb[masked.touched].astype(int)
    assert (changed[:, 1] > changed[:, 0] + 40).sum() > 500


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "needs points"),
        ("points = [[1, 2]]", "needs points"),
        (POINTS.replace("190", "900"), "outside the PNG's 200x150"),
        (POINTS + 'name = "kf94"', "built-in"),
        (POINTS + "colour = 1", "unknown keys colour"),
        (POINTS + 'attach = "glue"', "attach is one of"),
        (POINTS + "strap = [1, 2]", "CIE Lab"),
        (POINTS + "[cut]\nwide = 1", "\\[cut\\] is a table"),
        (POINTS + "[cut]\ntop_half = -1", "cut.top_half"),
        (POINTS + '[cut]\nform = "tent"', "form is one of"),
        ("points = [[10, 30], [10, 30], [10, 30], [10, 30], [10, 30], [10, 30]]", "enclose nothing"),
        ("points = ", "no TOML"),
    ],
)
def test_a_faulty_description_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SynthUsageError, match=told) as caught:
        load_templates(template(tmp_path / "own", text=text))
    assert "\n" not in str(caught.value)


def test_a_faulty_picture_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SynthUsageError, match="no alpha"):
        load_templates(template(tmp_path / "bare", image=picture(alpha=False)))
    broken = template(tmp_path / "broken")
    (broken / "flag.png").write_bytes(b"GIF89a")
    with pytest.raises(SynthUsageError, match="no PNG"):
        load_templates(broken)
    (broken / "flag.png").unlink()
    with pytest.raises(SynthUsageError, match=r"has no flag\.png"):
        load_templates(broken)


def test_a_picture_without_description_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    alone = template(tmp_path / "alone")
    (alone / "flag.toml").unlink()
    with pytest.raises(SynthUsageError, match=r"has no flag\.toml"):
        load_templates(alone)
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "absent"):
        with pytest.raises(SynthUsageError, match="templates"):
            load_templates(folder)


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    folder = template(tmp_path / "own", "one", POINTS + 'name = "flag"')
    with pytest.raises(SynthUsageError, match="two templates"):
        load_templates(template(folder, "other", POINTS + 'name = "flag"'))


def test_the_digest_follows_the_content(tmp_path: Path) -> None:
    one, same = template(tmp_path / "one"), template(tmp_path / "same")
    assert templates_digest(one) == templates_digest(same)
    template(same, text=POINTS + 'attach = "none"')
    assert templates_digest(one) != templates_digest(same)


def test_a_run_knows_its_own_templates_alone(tmp_path: Path) -> None:
    built_in = list_mask_types()
    own = template(tmp_path / "own")
    load_templates(template(tmp_path / "other", "banner"))
    use_templates(own, templates_digest(own))
    assert list_mask_types() == sorted([*built_in, "flag"])
    use_templates(None, "")
    assert list_mask_types() == built_in


def test_settings_take_templates_into_the_recipe(tmp_path: Path) -> None:
    own = template(tmp_path / "own")
    plan = Plan("one", (Slot(("correct",)),))
    with_own, without = Settings(plan, templates=own), Settings(plan)
    assert with_own.identity() != without.identity()
    assert "templates" not in without.parameters()
    before = with_own.identity()
    template(own, text=POINTS + 'attach = "none"')
    assert Settings(plan, templates=own).identity() != before

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from pipelines.report.charts import bars, stacked_columns
from pipelines.report.svg import VARIABLES

HOSTILE = ["</text><script>alert(1)</script>", "사람 $x^2$ \"q\" & 'r'", "dark\x00\u202etxt", "long " * 30]


def columns(**changes: object) -> str:
    settings = {"label": "age", "ticks": [0, 10, 20]} | changes
    return stacked_columns("ages", "Ages", [0, 10, 20], {"male": [1, 3], "female": [2, 0]}, **settings)  # type: ignore[arg-type]


def boxes(drawing: str, variable: str) -> list[tuple[float, float]]:
    """Width and height of every box filled with a colour, legend apart."""
    found = []
    for path in ET.fromstring(drawing).iter("path"):
        if f"fill: var({variable})" in path.attrib["style"] and "clip-path" in path.attrib:
            numbers = [float(text) for text in re.findall(r"-?[\d.]+(?:e-?\d+)?", path.attrib["d"])]
            xs, ys = numbers[::2], numbers[1::2]
            found.append((max(xs) - min(xs), max(ys) - min(ys)))
    return found


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(drawing).iter("text")]


def test_bars_are_as_long_as_their_values() -> None:
    drawing = bars("b", "Bars", ["x", "y", "z"], {"before": [10, 0, 5], "after": [40, 20, 1000]})
    before, after = boxes(drawing, "--c3"), boxes(drawing, "--c1")
    unit = after[2][0] / 1000
    assert [round(width / unit) for width, _ in before] == [10, 0, 5]
    assert [round(width / unit) for width, _ in after] == [40, 20, 1000]
    assert "1,000" in texts(drawing)


def test_columns_stand_on_each_other() -> None:
    drawing = columns()
    low, high = boxes(drawing, "--c1"), boxes(drawing, "--c2")
    unit = low[0][1]
    assert [round(height / unit, 2) for _, height in low] == [1, 3]
    assert [round(height / unit, 2) for _, height in high] == [2, 0]


def test_a_drawing_takes_its_colours_and_type_from_the_page() -> None:
    drawing = columns()
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?!\))", drawing.replace("url(#", "url("))
    assert "font-family" not in drawing
    assert "<style" not in drawing
    used = set(re.findall(r"var\((--\w+)\)", drawing))
    assert {"--c1", "--c2", "--ink", "--quiet"} <= used <= set(VARIABLES.values())


def test_a_drawing_asks_for_nothing_and_keeps_its_ids_to_itself() -> None:
    first, second = bars("one", "t", ["a"], {"n": [1]}), bars("two", "t", ["a"], {"n": [1]})
    for drawing, name in ((first, "one"), (second, "two")):
        assert "http" not in drawing
        ids = re.findall(r'\bid="([^"]+)"', drawing)
        assert ids
        assert all(element.startswith(f"{name}-") for element in ids)
        assert set(re.findall(r"url\(#([^)]+)\)", drawing)) <= set(ids)


def test_text_stays_text_whatever_it_holds() -> None:
    drawing = bars("h", 'Title "<b>"', HOSTILE, {"n": [1, 2, 3, 4]})
    root = ET.fromstring(drawing)
    assert not list(root.iter("script"))
    assert root.attrib["aria-label"] == 'Title "<b>"'
    said = texts(drawing)
    assert "사람 $x^2$ \"q\" & 'r'" in said
    assert "dark\ufffd\ufffdtxt" in said
    assert max(len(text) for text in said) <= 26


def test_the_same_input_gives_the_same_drawing() -> None:
    assert columns() == columns()
    assert columns(label="another") != columns()


@pytest.mark.parametrize("values", [[], [0, 0]])
def test_nothing_to_draw_is_drawn_as_nothing(values: list[float]) -> None:
    drawing = bars("n", "None", ["a", "b"][: len(values)], {"before": values, "after": values}, percent=True)
    assert ET.fromstring(drawing).tag == "svg"
    assert sum(width for width, _ in boxes(drawing, "--c1")) == 0

"""The report's page in a real browser: wide and narrow, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from datasets.manifest import make_refusals
from pipelines.gender_sheets import GenderTables
from pipelines.report import write_report
from pipelines.report.genders import REASONS
from tests.browser import Tab, browser_tab
from tests.pipelines.report_builders import draw, population
from tests.pipelines.test_report_genders import decided_table, given_table

SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
# What sticks out of the page, or is cut off without a way to scroll to it.
STICKING_OUT = """
[...document.querySelectorAll('body *')].filter(one => {
  const box = one.getBoundingClientRect();
  return box.width && box.right > document.documentElement.clientWidth + 1 && !one.closest('.scroll, svg');
}).map(one => one.tagName + '.' + one.className)
"""
# WCAG's contrast of each text with what lies behind it, where that is under 4.5.
PALE = """
(() => {
  const parts = colour => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = colour => {
    const [r, g, b] = parts(colour).map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = one => {
    for (let at = one; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const seen = parts(colour);
      if (seen.length === 3 || seen[3] > 0) return colour;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  const found = [];
  for (const one of document.querySelectorAll('h1, h2, h3, p, a, td, th, dt, dd, span, b, code, figcaption, footer')) {
    if (![...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(one);
    if (style.display === 'none' || !one.offsetParent) continue;
    const pair = [light(style.color), light(behind(one))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) found.push(`${one.tagName} ${one.textContent.slice(0, 30)} ${contrast.toFixed(2)}`);
  }
  return found;
})()
"""
LOADED = """
(async () => {
  const pictures = [...document.images];
  pictures.forEach(one => { one.loading = 'eager'; });
  await Promise.all(pictures.map(one => one.decode()));
  return pictures.map(one => one.naturalWidth);
})()
"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with browser_tab() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    frame = population(people=12)
    draw(folder, frame)
    first, second = frame["photo_id"].iloc[:2]
    refusals = make_refusals(
        [
            {"photo_id": "folder:a.jpg", "stage": "mask", "reason": "no_face", "detail": "nobody " * 30},
            {"photo_id": f"other:{'long' * 40}.jpg", "stage": "merge", "reason": "duplicate",
             "detail": f"same bytes as {first}"},
            {"photo_id": "other:b.jpg", "stage": "merge", "reason": "label_conflict",
             "detail": f"same bytes as {second}; gender male there, female here"},
        ]
    )  # fmt: skip
    excluded = pd.DataFrame(
        [["mega-age", "CC-BY-NC-4.0", "non_commercial", 8314, "its terms exclude commercial use " * 4]],
        columns=["source", "licence", "kind", "rows", "why"],
    )
    rows = [(reason, group) for reason in REASONS for group in ("under_30", "60_plus", "")] + [("pseudo", "60_plus")]
    tables = GenderTables(given_table(1200, wrong=60), decided_table(rows))
    options = {"refusals": refusals, "excluded": excluded, "genders": tables}
    return write_report(folder / "report.html", merged=frame, root=folder, **options)


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_page_is_whole_on_every_screen(tab: Tab, page: Path, width: int, scheme: str) -> None:
    tab.open(page, width, scheme)
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert tab.evaluate(STICKING_OUT) == []
    assert tab.evaluate(PALE) == []
    widths = tab.evaluate(LOADED)
    assert len(widths) > 10
    assert min(widths) > 0
    assert tab.complaints() == []
    assert {url.partition(":")[0] for url in tab.requests()} <= {"file", "data"}


@pytest.mark.parametrize("width", [1280, 390])
def test_dark_is_dark_and_light_is_light(tab: Tab, page: Path, width: int) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        tab.open(page, width, scheme)
        told = tab.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
        brightness[scheme] = sum(told) / 3
    assert brightness["dark"] < 60 < 200 < brightness["light"]


def test_tables_of_the_wide_page_need_no_scrolling(tab: Tab, page: Path) -> None:
    tab.open(page, 1280, "light")
    cut = "[...document.querySelectorAll('.scroll')].filter(one => one.scrollWidth > one.clientWidth + 1)"
    assert tab.evaluate(f"{cut}.map(one => one.getAttribute('aria-label'))") == []


def test_what_is_tapped_is_large_enough_and_text_is_readable_on_a_phone(tab: Tab, page: Path) -> None:
    tab.open(page, 390, "light")
    heights = tab.evaluate("[...document.querySelectorAll('nav a')].map(one => one.getBoundingClientRect().height)")
    assert min(heights) >= 24
    sizes = tab.evaluate(
        "[...document.querySelectorAll('p, td, th, dd, dt, code, figcaption')]"
        ".map(one => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 11


@pytest.mark.parametrize("width", [1280, 390])
def test_strips_are_as_wide_as_they_may_be_and_in_proportion(tab: Tab, page: Path, width: int) -> None:
    tab.open(page, width, "light")
    strips = tab.evaluate(
        "[...document.querySelectorAll('.strip')].map(one => [...one.children].map(part => "
        "[part.getBoundingClientRect().width, parseFloat(part.style.getPropertyValue('--part'))]))"
    )
    assert len(strips) >= 6
    for strip in strips:
        assert sum(each[0] for each in strip) > 100
        for pixels, part in strip:
            assert pixels == pytest.approx(part * sum(each[0] for each in strip), abs=4)

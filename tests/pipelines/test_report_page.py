from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from datasets.labels import GENDERS, MASK_STATES
from datasets.manifest import make_manifest, make_refusals
from datasets.rules import RULES
from pipelines.report import counts, sections, tallies, write_report
from pipelines.report.text import number, share, times
from tests.pipelines.report_builders import NO_EXCLUSIONS, Page, draw, population, row, variant

HOSTILE = "\"><script>alert('1')</script><img src=x onerror=alert(2)>&amp; 사람"
SECTIONS = (
    *("overview", "classes", "sources", "crossings", "ages", "variants", "labels"),
    *("genders", "folds", "photos", "duplicates", "refusals", "licences"),
)
REFUSED = make_refusals(
    {"photo_id": f"folder:{name}.jpg", "stage": "mask", "reason": "no_face", "detail": "nobody"} for name in "abc"
)
EXCLUDED = pd.DataFrame(
    [["mega-age", "CC-BY-NC-4.0", "non_commercial", 8314, "its terms exclude commercial use"]],
    columns=NO_EXCLUSIONS.columns,
)


def written(folder: Path, merged: pd.DataFrame, name: str = "report.html", **options: Any) -> str:
    settings: dict[str, Any] = {"refusals": REFUSED, "excluded": EXCLUDED, "root": folder} | options
    return write_report(folder / name, merged=merged, **settings).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return population()


@pytest.fixture(scope="module")
def text(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    draw(folder, frame)
    return written(folder, frame)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_is_well_formed_and_every_link_within_it_leads_somewhere(page: Page) -> None:
    assert page.faults == []
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert set(SECTIONS) <= set(ids)
    links = [str(attrs["href"]) for attrs in page.of("a")]
    assert [link[1:] for link in links if link.startswith("#")] == list(SECTIONS)


def test_the_page_asks_for_nothing(page: Page, text: str) -> None:
    outside = re.compile(r"https?://|//\w")
    for tag, attrs in page.tags:
        for name, value in attrs.items():
            link = tag == "a" and name == "href"
            assert link or not outside.search(str(value).partition(";base64,")[0]), (tag, name)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "object", "embed", "form", "base"})
    assert [attrs["href"] for attrs in page.of("link")] == ["data:,"]
    assert all(str(attrs["src"]).startswith("data:image/jpeg;base64,") for attrs in page.of("img"))
    style = re.findall(r"<style>(.*?)</style>", text, flags=re.S)
    assert len(style) == 1
    assert not re.search(r"url\(|@import|@font-face|https?:", style[0])
    policy = next(attrs["content"] for attrs in page.of("meta") if attrs.get("http-equiv"))
    assert str(policy).startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")


def test_the_page_serves_phones_and_both_lights(page: Page, text: str) -> None:
    metas = {attrs.get("name"): attrs.get("content") for attrs in page.of("meta")}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert metas["color-scheme"] == "light dark"
    style = text.partition("<style>")[2].partition("</style>")[0]
    light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
    drawn = set(re.findall(r"var\((--\w+)\)", text)) - {"--heat", "--part"}
    for variable in drawn:
        assert f"{variable}:" in light.partition("}")[0], variable
        assert f"{variable}:" in dark.partition("}")[0], variable
    wrapped = re.findall(r'<div class="scroll[^"]*"[^>]*>\s*<table[^>]*>', text)
    assert len(wrapped) == len(page.of("table")) == len(page.tables)


def test_the_classes_on_the_page_are_those_of_the_manifest(page: Page, frame: pd.DataFrame) -> None:
    for _, line in counts.class_counts(frame, "competition").iterrows():
        assert page.row("Photos by class, before and after", line["name"]) == [
            number(line["before"]),
            share(line["before_share"]),
            number(line["after"]),
            share(line["after_share"]),
            times(line["growth"]),
        ]


def test_the_other_tables_are_those_of_the_manifest(page: Page, frame: pd.DataFrame) -> None:
    sources = counts.source_counts(frame, "competition")
    shown = sources.loc[:, [name[1] != "unknown" or sources[name].any() for name in sources.columns]]
    for source, line in shown.iterrows():
        assert page.row("Photos by source", str(source)) == [number(value) for value in line]
    for fold, line in tallies.fold_counts(frame).iterrows():
        assert page.row("Folds and their balance", str(fold))[:3] == [
            number(line[name]) for name in ("photos", "variants", "persons")
        ]
    for name, line in counts.provenance(frame).iterrows():
        assert page.row("Photos by where each label comes from", str(name)) == [number(value) for value in line]
    for kind, line in counts.variant_counts(frame).iterrows():
        cells = page.row("Variants by mask type and wear style", str(kind))
        assert cells == [number(value) for value in (*line, line.sum())]


def test_headline_figures_say_what_the_manifest_holds(page: Page, frame: pd.DataFrame) -> None:
    words = " ".join(" ".join(page.words).split())
    assert f"Photos, variants included {len(frame)} {frame['source'].eq('competition').sum()} before" in words
    assert f"Refusals {len(REFUSED)} 1 reason" in words
    assert f"or an age group: {frame['label'].isna().sum()} of {len(frame)} photos." in words
    assert "No person stands in two folds." in words


def test_refusals_and_licences_are_listed_with_their_reasons(page: Page) -> None:
    cells = page.row("Refusals by stage and reason", "mask")
    assert cells[:2] == ["no_face", "3"]
    assert "folder:a.jpg" in cells[2]
    assert cells[3] == "nobody"
    rows = page.tables["Licences, what they brought and what was left out"]
    licences = {cells[1]: cells for cells in rows[2:]}
    left_out = licences["mega-age"]
    assert left_out[0].startswith("CC-BY-NC-4.0")
    verdicts = ["exclude", "admit", "exclude", "exclude"]
    assert left_out[2:] == ["non commercial", "0", "8,314", *verdicts, "its terms exclude commercial use"]
    assert licences["competition"][3:9] == ["160", "0", "admit", "admit", "exclude", "exclude"]
    assert [rows[1][5:9]] == [list(RULES)]
    assert "https://creativecommons.org/licenses/by-nc/4.0/" in [attrs["href"] for attrs in page.of("a")]


def test_photos_are_shown_by_class_with_a_caption_and_a_size(page: Page, frame: pd.DataFrame) -> None:
    pictures = page.of("img")
    classes = frame["label"].dropna().value_counts()
    assert len(pictures) == classes.clip(upper=12).sum()
    for attrs in pictures:
        assert attrs["loading"] == "lazy"
        assert attrs["alt"]
        assert int(attrs["width"] or 0) > 0
    assert "nose_out · cloth" in page.words


def test_the_same_input_gives_the_same_bytes(frame: pd.DataFrame, tmp_path: Path) -> None:
    draw(tmp_path, frame.head(40))
    first = written(tmp_path, frame, "one.html")
    assert first == written(tmp_path, frame, "two.html")
    assert "on a Tuesday" not in first
    assert "on a Tuesday" in written(tmp_path, frame, "three.html", made_at="on a Tuesday")


def test_what_others_wrote_is_never_markup(tmp_path: Path) -> None:
    labels = {"mask": "wear", "gender": "male", "age": 70.0, "fold": 0}
    hostile = HOSTILE.replace("/", "_")
    merged = make_manifest(
        [
            row("competition", f"{hostile}.png", **labels, licence=HOSTILE, person_id=HOSTILE),
            variant(
                "folder", f"{hostile}.png", "v", **labels, mask_type=HOSTILE, wear_style="correct", licence=HOSTILE
            ),
        ]
    )
    draw(tmp_path, merged)
    refusals = make_refusals(
        [{"photo_id": f"folder:{HOSTILE}", "stage": HOSTILE, "reason": HOSTILE, "detail": HOSTILE}]
    )
    excluded = pd.DataFrame([[HOSTILE, HOSTILE, HOSTILE, 3, HOSTILE]], columns=NO_EXCLUSIONS.columns)
    names = {"title": HOSTILE, "made_at": HOSTILE}
    page = Page(written(tmp_path, merged, refusals=refusals, excluded=excluded, **names))
    assert page.faults == []
    assert not page.of("script")
    assert all("onerror" not in attrs for attrs in page.of("img"))
    assert len(page.of("img")) == 2
    assert HOSTILE in page.words
    assert page.row("Refusals by stage and reason", HOSTILE)[:2] == [HOSTILE, "1"]
    assert any(attrs.get("title") == f"competition:{hostile}.png" for attrs in page.of("li"))
    assert page.row("Variants by mask type and wear style", HOSTILE) == ["1", "1"]


@pytest.mark.parametrize("nothing", [make_refusals([]), pd.DataFrame()])
def test_an_empty_merge_still_has_a_page(tmp_path: Path, nothing: pd.DataFrame) -> None:
    page = Page(written(tmp_path, make_manifest([]), refusals=nothing, excluded=nothing))
    assert page.faults == []
    words = " ".join(page.words)
    for said in ("Nothing was refused.", "No variants in this manifest.", "No folds have been made."):
        assert said in words
    assert "nan" not in words.lower()
    assert page.row("Photos by class, before and after", "wear/male/under_30") == ["0", "0.0 %", "0", "0.0 %", "–"]


def test_a_missing_base_source_is_said(tmp_path: Path, frame: pd.DataFrame) -> None:
    page = Page(written(tmp_path, frame, base_source="medical-masks"))
    assert any("holds no photos of medical-masks" in word for word in page.words)


def test_a_person_in_two_folds_is_said(tmp_path: Path, frame: pd.DataFrame) -> None:
    moved = frame.copy()
    moved.loc[0, "fold"] = 2
    assert any("Persons in more than one fold: 1." in word for word in Page(written(tmp_path, moved)).words)


def test_the_report_makes_its_folder_and_leaves_nothing_else(tmp_path: Path, frame: pd.DataFrame) -> None:
    out = tmp_path / "new" / "deep" / "index.html"
    assert write_report(out, merged=frame, root=tmp_path, refusals=REFUSED, excluded=EXCLUDED) == out
    assert [path.name for path in out.parent.iterdir()] == ["index.html"]


def test_crossings_are_those_of_the_manifest_before_and_after(page: Page, frame: pd.DataFrame) -> None:
    base = frame[frame["source"].eq("competition")]
    for when, part in (("before", base), ("after", frame)):
        for gender in ("male", "female"):
            cells = page.row(f"Gender by age group, {when}", gender)
            of_gender = part[part["gender"].eq(gender)]
            assert cells[-1] == number(len(of_gender))
            assert cells[:3] == [
                number((of_gender["age_group"] == group).sum()) for group in ("under_30", "30_to_59", "60_plus")
            ]
        assert page.row(f"Mask state by gender, {when}", "all")[-1] == number(len(part))


def test_each_source_has_its_shares(page: Page, frame: pd.DataFrame) -> None:
    part = frame[frame["source"].eq("folder")]
    cells = page.row("Source by source, shares of its photos and variants", "folder")
    assert cells[0] == number(len(part))
    genders, groups = (cell.replace("\u00a0", " ") for cell in cells[2:4])
    assert f"male {share((part['gender'] == 'male').mean())}" in genders
    assert f"unknown {share(part['age_group'].isna().mean())}" in groups
    strips = [attrs for attrs in page.of("div") if attrs.get("class") == "strip"]
    assert len(strips) == frame["source"].nunique() * 3


def test_refused_variants_of_one_photo_are_shown_once_and_photos_with_number_signs_each(tmp_path: Path) -> None:
    names = ["a.jpg#wear1", "a.jpg#wear2", "b#1.jpg", "b#2.jpg", "b#2.jpg#incorrect1", "c#/d.jpg"]
    refused = make_refusals(
        {"photo_id": f"folder:{name}", "stage": "mask", "reason": "no_face", "detail": ""} for name in names
    )
    photos = make_manifest([row("folder", name) for name in ("a.jpg", "b#1.jpg", "b#2.jpg", "c#/d.jpg")])
    draw(tmp_path, photos)
    page = Page(written(tmp_path, make_manifest([]), refusals=refused))
    shown = [str(attrs["alt"]) for attrs in page.of("img")]
    assert shown == [f"refused: folder:{name}" for name in ("a.jpg#wear1", "b#1.jpg", "b#2.jpg", "c#/d.jpg")]
    colours = {str(attrs["src"]) for attrs in page.of("img")}
    assert len(colours) == 4


def test_one_of_a_thing_is_not_several(tmp_path: Path) -> None:
    labels = {"mask": "wear", "gender": "male", "age": 70.0}
    merged = make_manifest(
        [row("competition", "a.jpg", **labels), variant("competition", "a.jpg", "wear1", mask="wear", gender="male")]
    )
    merged.loc[1, ["gender_from", "gender_confidence"]] = ["pseudo", 0.9]
    draw(tmp_path, merged)
    words = " ".join(" ".join(Page(written(tmp_path, merged, refusals=REFUSED.head(1))).words).split())
    assert "1 photo, 0 variants" in words
    assert "1 refusal in 1 stage" in words
    assert "1 variant of 1 photo." in words
    assert not re.search(r"(?<![,.\d])1 (photos|variants|persons|sources|refusals|stages|reasons|classes)\b", words)


def test_what_the_rules_left_out_is_not_known_without_their_table(tmp_path: Path, frame: pd.DataFrame) -> None:
    words = " ".join(Page(written(tmp_path, frame, excluded=None)).words)
    assert "what was left out for theirs isn't known here." in words
    assert "isn't known here" not in " ".join(Page(written(tmp_path, frame, excluded=NO_EXCLUSIONS)).words)


def test_a_page_and_a_card_in_folders_of_any_name(tmp_path: Path, frame: pd.DataFrame) -> None:
    odd = tmp_path / os.fsdecode(b"caf\xe9 #1")
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    card = odd / "DATACARD.md"
    card.write_text("# Data card\n")
    assert 'href="caf%E9%20%231/DATACARD.md"' in written(tmp_path, frame, card=card)
    assert 'href="DATACARD.md"' in written(odd, frame, card=card)


def test_the_strips_explain_no_colour_that_they_lack(tmp_path: Path) -> None:
    whole = {"mask": "wear", "gender": "male", "age": 70.0}
    frame = make_manifest([row("competition", "a.jpg", **whole), row("folder", "b.jpg", **whole | {"gender": None})])
    heads = Page(written(tmp_path, frame)).tables["Source by source, shares of its photos and variants"][0]
    assert [("unknown" in head) for head in heads] == [False, False, False, True, False]
    assert "female" in heads[3]


def test_ages_that_nobody_knows_are_no_chart(tmp_path: Path) -> None:
    frame = make_manifest([row("competition", "a.jpg", age_group="60_plus"), row("folder", "b.jpg", age=70.0)])
    text = written(tmp_path, frame)
    assert text.count("None is known.") == 1
    assert 'id="ages-after-' in text
    assert 'id="ages-before-' not in text


def said_of(frame: pd.DataFrame) -> dict[str, tuple[str, str]]:
    return {each.name: (each.value, each.note) for each in sections.figures(frame, make_refusals([]), "competition")}


def test_headlines_of_classes_that_were_empty_and_that_are() -> None:
    every = [{"mask": m, "gender": g, "age": a} for m in MASK_STATES for g in GENDERS for a in (20.0, 40.0, 70.0)]
    base = [row("competition", f"{n}.jpg", **labels) for n, labels in enumerate(every)]
    more = [row("folder", f"{n}.jpg", **labels) for n, labels in enumerate([*every, every[0], every[0]])]
    some = said_of(make_manifest([base[0], more[0], more[1]]))
    assert some["Classes without a photo"] == ("16", "17 before")
    assert some["Largest class to smallest"] == ("–", "some classes are empty")
    filled = said_of(make_manifest([base[0], *more]))
    assert filled["Classes without a photo"] == ("0", "17 before")
    assert filled["Largest class to smallest"] == ("4.0 : 1", "some were empty before")
    whole = said_of(make_manifest([*base, *more]))
    assert whole["Largest class to smallest"] == ("2.0 : 1", "1.0 : 1 before")
    assert whole["Growth of the rarest class"][0] == "×2.0"


def test_duplicates_are_pictured_once(tmp_path: Path) -> None:
    frame = make_manifest([row("a", "1.jpg"), row("b", "1.jpg")])
    draw(tmp_path, frame)
    refused = make_refusals(
        {"photo_id": "b:1.jpg", "stage": stage, "reason": reason, "detail": "same bytes as a:1.jpg"}
        for stage, reason in (("merge", "duplicate"), ("labels", "label_conflict"))
    )
    page = Page(written(tmp_path, frame.head(1), refusals=refused))
    assert [attrs["alt"] for attrs in page.of("img")] == ["kept: a:1.jpg", "left out: b:1.jpg", "refused: b:1.jpg"]


def test_the_card_is_linked_where_there_is_one(tmp_path: Path, frame: pd.DataFrame) -> None:
    card = tmp_path / "merged #1" / "DATACARD.md"
    card.parent.mkdir()
    card.write_text("# Data card\n")
    page = Page(written(tmp_path, frame, card=card))
    assert "merged%20%231/DATACARD.md" in [attrs["href"] for attrs in page.of("a")]
    assert not any("DATACARD" in str(attrs["href"]) for attrs in Page(written(tmp_path, frame)).of("a"))
    assert not any("gone" in str(each) for each in Page(written(tmp_path, frame, card=tmp_path / "gone.md")).of("a"))

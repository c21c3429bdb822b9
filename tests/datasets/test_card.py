from __future__ import annotations

import pandas as pd
import pytest

from datasets.card import CARD, citations, data_card, write_card
from datasets.labels import label_name
from datasets.manifest import Refusal, make_manifest, make_refusals
from datasets.origins import SOURCES
from tests.datasets.builders import row

NOTHING = pd.DataFrame(columns=["source", "licence", "kind", "rows", "why"])
EXCLUDED = pd.DataFrame(
    [["closed", "CC-BY-NC-4.0", "non_commercial", 7, "its terms exclude that"]], columns=NOTHING.columns
)


def variant(name, key, **values):
    source = values.get("source", "folder")
    made = {"photo_id": f"{source}:{name}#{key}", "parent_id": f"{source}:{name}", "recipe_id": "r", "seed": 1}
    return row(name, **{**made, "path": f"{key}_{name}", "person_id": f"{source}:{name}", **values})


def card(rows, refusals=(), excluded=NOTHING, **options):
    return data_card(make_manifest(rows), refusals=make_refusals(refusals), excluded=excluded, **options)


def cells(text, first):
    """The cells after `first` of the rows that begin with it."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    return [row[1:] for row in rows if row[0] == first]


@pytest.fixture
def rows():
    old = {"mask": "wear", "gender": "female", "age": 64.0}
    return [
        *(row(f"{i}.jpg", source="all-age-faces", licence="CC-BY-4.0", fold=i % 2, **old) for i in range(3)),
        *(
            variant("0.jpg", f"v{i}", source="all-age-faces", licence="CC-BY-4.0", fold=0, mask="incorrect",
                    mask_from="synthetic", gender="female", gender_from="pseudo", gender_confidence=0.9 + i / 100,
                    age=64.0, wear_style="nose_out", mask_type="kf94")
            for i in range(2)
        ),
        row("x.jpg", licence="Odd|Terms", source_version="a <b> | c", fold=1),
    ]  # fmt: skip


def test_counts_are_those_of_the_manifest(rows):
    text = card(rows)
    assert cells(text, "all-age-faces")[0][1:4] == ["3", "2", "3"]
    assert cells(text, "4")[0] == [label_name(5), "0", "0", "0"] or cells(text, "5")[0] == [
        label_name(5),
        "3",
        "0",
        "3",
    ]
    assert cells(text, "11")[0] == [label_name(11), "0", "2", "1"]
    assert cells(text, "-")[0] == ["not all three labels known", "1", "0", "1"]
    assert ["female", "3", "2", "3"] in cells(text, "gender")
    assert cells(text, "gender")[-1] == ["3", "0", "2", "0", "1"]
    assert cells(text, r"nose\_out") == cells(text, "kf94") == [["2"]]


def test_licences_are_linked_and_every_rule_decides(rows):
    text = card(rows)
    free = cells(text, "CC-BY-4.0")[0]
    assert free[0] == "[Creative Commons Attribution 4.0](https://creativecommons.org/licenses/by/4.0/)"
    assert free[2] == "5"
    assert free[-4:] == ["yes"] * 4
    assert cells(text, "Odd\\|Terms")[0][-4:] == ["no"] * 4


def test_it_says_what_was_left_out_and_why(rows):
    refused = [Refusal(f"a:{i}", "mask", "no_face") for i in range(3)] + [Refusal("b:1", "merge", "licence")]
    text = card(rows, refused, EXCLUDED)
    assert cells(text, "closed") == [["CC-BY-NC-4.0", "7", "its terms exclude that"]]
    assert ["no\\_face", "3"] in cells(text, "mask")
    assert ["licence", "1"] in cells(text, "merge")
    assert "The rules left nothing out." in card(rows)
    assert "Nothing was refused." in card(rows)


def test_terms_of_the_landmark_model_stand_where_masks_were_drawn(rows):
    assert "excludes commercial use" in card(rows)
    assert "iBUG" not in card(rows[:3])


def test_owners_are_cited_in_their_own_words(rows):
    text = card([*rows, row("m.jpg", source="mega-age"), row("n.jpg", source="mega-age-asian")])
    assert SOURCES["all-age-faces"].bibtex.strip() in text
    frame = make_manifest([row("m.jpg", source="mega-age"), row("n.jpg", source="mega-age-asian"), row()])
    assert citations(frame).count("@inproceedings") == 1
    assert citations(make_manifest([row()])) == ""


def test_limits_are_counted(rows):
    text = card(rows)
    assert f"{label_name(5)} (3)" in text
    assert "1 of 6 rows lack" in text
    assert f"Classes of variants alone, without one real photo: {label_name(11)}" in text
    assert "of its own in all-age-faces" in text
    assert "2 genders are predictions" in text
    enough = card([row(f"{i}.jpg", mask="wear", gender="male", age=20.0) for i in range(50)])
    thin = next(line for line in enough.splitlines() if "fewer than" in line)
    assert f" {label_name(0)} (" not in thin
    assert f" {label_name(1)} (0)" in thin


def test_a_person_in_two_folds_is_said(rows):
    assert "No person is in two of them." in card(rows)
    assert "**1 persons are in more than one.**" in card([*rows[:3], {**rows[3], "fold": 1}])


def test_other_peoples_text_stays_text():
    text = card(
        [row("a.jpg", licence="<img src=x onerror=alert(1)> | `b` [c](javascript:d)\n# e", source_version="*f*")]
    )
    assert "<img" not in text
    assert "\n# e" not in text
    assert "\\[c\\](javascript:d)" in text


def test_the_same_manifest_gives_the_same_bytes_whatever_its_order(rows, tmp_path):
    first = write_card(card(rows, rules="research"), tmp_path / "a")
    assert first == tmp_path / "a" / CARD
    assert first.read_bytes() == write_card(card(rows[::-1], rules="research"), tmp_path / "b").read_bytes()
    assert "Merged under the rules `research`" in first.read_text()


def test_an_empty_manifest_has_a_card():
    text = card([])
    assert text.startswith("# Data card\n")
    assert "nan" not in text.lower().replace("finance", "")

from __future__ import annotations

import re

import pandas as pd
import pytest

from datasets.card import CARD, citations, data_card, write_card
from datasets.card_limits import limits
from datasets.labels import label_name
from datasets.licences import ASKS, LICENCES
from datasets.manifest import Refusal, make_manifest, make_refusals
from datasets.markdown import escape
from datasets.origins import EMBEDDING, LANDMARKS, SOURCES
from datasets.rules import RULES
from tests.datasets.builders import row

EXCLUDED = pd.DataFrame(
    [["closed", "CC-BY-NC-4.0", "non_commercial", 7, "its terms exclude that"]],
    columns=["source", "licence", "kind", "rows", "why"],
)
NOTHING = EXCLUDED.iloc[:0]


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
    assert "`refusals.csv` beside the manifest" in text
    assert "The rules left nothing out." in card(rows)
    assert "Nothing was refused." in card(rows)


def test_a_card_of_a_manifest_alone_claims_nothing_of_rules(rows):
    text = card(rows, excluded=None)
    assert "The rules left nothing out" not in text
    assert "What licences kept out isn't known here" in text
    assert "\nThe rules:\n" in text
    assert "Merged under" not in text
    known = card(rows, rules="research")
    assert "\nThe other rules:\n" in known
    assert "isn't known" not in known
    assert "- `research`:" not in known
    assert all(f"- `{name}`: {rule.note}" in text for name, rule in RULES.items())


def test_terms_of_the_landmark_model_stand_where_masks_were_drawn(rows):
    assert "excludes commercial use" in card(rows)
    assert "iBUG" not in card(rows[:3])


def test_what_genders_were_predicted_from_is_named_where_any_were(rows):
    text = card(rows)
    assert "confidences of 0.900 to 0.910, 0.905 in the median" in text
    assert f"[{escape(EMBEDDING.name)}]({EMBEDDING.home}): given to the public domain by its author; trained on" in text
    assert "Predicted genders" not in card(rows[:3])
    assert escape(EMBEDDING.name) not in card(rows[:3])


def test_terms_of_every_origin_stand_beside_its_citation(rows):
    text = card([*rows, row("m.jpg", source="mega-age"), row("k.jpg", source="medical-masks")])
    cited = text.partition("## Citations")[2]
    for name in ("all-age-faces", "mega-age", "medical-masks"):
        origin = SOURCES[name]
        assert origin.terms
        assert f"**[{escape(origin.name)}]({origin.home}).** {origin.terms}\n" in cited
    assert f"{SOURCES['medical-masks'].reference}\n" in cited
    assert "**folder.**\n\nNone is known.\n" in cited
    assert LANDMARKS.reference in cited
    assert text.count(LANDMARKS.terms) == 1


def test_owners_are_cited_in_their_own_words(rows):
    text = card([*rows, row("m.jpg", source="mega-age"), row("n.jpg", source="mega-age-asian")])
    assert SOURCES["all-age-faces"].bibtex.strip() in text
    frame = make_manifest([row("m.jpg", source="mega-age"), row("n.jpg", source="mega-age-asian"), row()])
    assert citations(frame).count("@inproceedings") == 1
    assert citations(make_manifest([row()])) == ""


def test_limits_are_counted(rows):
    text = card(rows)
    assert f"{label_name(5)} (3)" in text
    assert "1 of 6 rows lacks" in text
    assert f"Classes of variants alone, without one real photo: {label_name(11)}" in text
    assert "2 genders are predictions" in text
    enough = card([row(f"{i}.jpg", mask="wear", gender="male", age=20.0) for i in range(50)])
    thin = next(line for line in enough.splitlines() if "fewer than" in line)
    assert f" {label_name(0)} (" not in thin
    assert f" {label_name(1)} (0)" in thin


def limit(rows, words):
    """The one limit that holds these words; None where there is none."""
    found = [line for line in limits(make_manifest(rows)) if words in line]
    assert len(found) < 2
    return found[0] if found else None


def photos(count, persons, source="folder", **values):
    """Photos of a source, each another person's but for the last, which are the first one's."""
    named = {"source": source, "licence": "CC-BY-4.0", **values}
    return [row(f"{i}.jpg", person_id=f"{source}:{i if i < persons else 0}", **named) for i in range(count)]


OWN = "counts as a person of its own"


def test_sources_whose_labels_hardly_know_who_is_who_are_named_with_the_share():
    joined = [*photos(600, 599), *photos(7, 1, "competition")]
    assert "598 of 600 in folder (99.6 %)." in limit(joined, OWN)
    assert "600 of 600 in folder (100 %)." in limit(photos(600, 600), OWN)
    ten = [*photos(10, 10, "a"), variant("0.jpg", "v", source="a"), row("x.jpg", source="b", person_id="a:9")]
    assert "own: 9 of 10 in a (90 %). If" in limit([*ten, *photos(3, 3, "b")], OWN)
    assert "3 of 3 in b (100 %), 3 of 3 in c (100 %)." in limit([*photos(3, 3, "c"), *photos(3, 3, "b")], OWN)
    assert limit(photos(20, 18), OWN) is None
    assert limit(photos(1, 1), OWN) is None


def test_photos_that_are_there_by_their_variants_are_persons_too():
    made = [variant(f"{i}.jpg", key, licence="CC-BY-4.0") for i in range(4) for key in "vw"]
    assert "4 of 4 in folder (100 %)" in limit(made, OWN)
    assert "4 of 4 in folder (100 %)" in limit([*made, *photos(4, 4)], OWN)


@pytest.mark.parametrize("kind", [kind for kind in ASKS if kind not in ("free", "attribution")])
def test_every_restriction_is_among_the_limits(kind):
    licence = next((each.id for each in LICENCES.values() if each.kind == kind), "Odd-Terms")
    told = limit([row("a.jpg", licence=licence), row("b.jpg", licence="MIT")], "Not free to use for everything")
    assert f"*{kind.replace('_', ' ')}* ({ASKS[kind]})" in told
    assert ASKS["attribution"] not in told


def test_free_photos_have_no_restriction_among_the_limits():
    assert limit([row("a.jpg", licence="CC0-1.0"), row("b.jpg", licence="MIT")], "Not free") is None


def test_ages_of_all_age_faces_are_said_to_be_noisy_and_no_others():
    assert "66 of 324 pairs" in limit(photos(1, 1, "all-age-faces"), "noisy")
    assert limit(photos(1, 1, "all-age-faces-2"), "noisy") is None


def test_variants_are_not_real_masks(rows):
    assert "without one real photo: incorrect/female/60_plus." in limit(rows, "really worn masks")
    real = row("r.jpg", mask="incorrect", gender="female", age=70.0)
    assert limit([*rows, real], "Classes of variants alone") is None
    assert "Variants stand in for real masks" in limit([*rows, real], "real masks")
    assert limit(rows[:3], "real masks") is None


def test_what_is_true_of_all_such_data_always_stands_last(rows):
    for each in ([], rows):
        told = limits(make_manifest(each))
        assert "Gender has two values here" in told[-2]
        assert "agreed to this use" in told[-1]
    assert limit(rows[:3], "predictions") is None
    assert limit(rows[:3], "lack") is None


def test_a_person_in_two_folds_is_said(rows):
    assert "No person is in two of them." in card(rows)
    assert "**1 person is in more than one.**" in card([*rows[:3], {**rows[3], "fold": 1}])


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


def test_one_of_a_thing_is_not_several():
    text = card([row("a.jpg"), variant("a.jpg", "v", gender="male", gender_from="pseudo", gender_confidence=0.9)])
    assert "1 photo of faces and 1 variant:" in text
    assert "1 person, 1 source." in text
    assert "2 of 2 rows lack a" in text
    assert "1 gender is a prediction:" in text
    assert not re.search(r"\b1 (photos|variants|persons|sources|rows|genders)\b", text)


def test_an_empty_manifest_has_a_card():
    text = card([])
    assert text.startswith("# Data card\n")
    assert "nan" not in text.lower().replace("finance", "")

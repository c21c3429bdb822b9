"""Croissant 1.0: one JSON-LD file that says what lies in a dataset's folder and how to read it.

The form: http://mlcommons.org/croissant/1.0; the context is the one its appendix recommends, with the terms used here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd

from datasets.card import citations
from datasets.exporting.about import About
from datasets.labels import AXES
from datasets.licences import find_licence
from datasets.wording import counted

CROISSANT: Final = "croissant.json"
CONFORMS_TO: Final = "http://mlcommons.org/croissant/1.0"
CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TABLE: Final = "metadata.csv"
_PHOTOS: Final = "photo-files"
_TYPES: Final = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_OTHER_TYPE: Final = "image/bmp"

_TEXT, _INTEGER, _FLOAT = "sc:Text", "sc:Integer", "sc:Float"
_FIELDS: Final = (
    ("photo_id", _TEXT, "Where it came from: the source and the path in it; of a variant, its photo's and a key."),
    ("person_id", _TEXT, "Who is in it; photos of one person share a fold."),
    ("mask", _TEXT, "How a mask is worn."),
    ("gender", _TEXT, "Gender, as the dataset or a prediction has it."),
    ("age", _FLOAT, "Age in years."),
    ("age_group", _TEXT, "Age group; the oldest begins at 60 unless the source was read otherwise."),
    ("label", _INTEGER, "mask * 6 + gender * 3 + age group, 0 to 17."),
    ("class", _TEXT, "The label in words."),
    *(
        (f"{name}_from", _TEXT, "given, corrected, pseudo (predicted) or synthetic.")
        for name in ("mask", "gender", "age")
    ),
    *((f"{name}_confidence", _FLOAT, "0 to 1; 1 of what is given.") for name in ("mask", "gender", "age")),
    ("mask_type", _TEXT, "Of a variant: what kind of mask was drawn."),
    ("wear_style", _TEXT, "Of a variant: how it sits."),
    *(
        (f"{part}_covered", _FLOAT, f"Of a variant: share of the {part} that is covered, measured.")
        for part in ("nose", "mouth", "chin")
    ),
    ("parent_id", _TEXT, "Of a variant: the photo it was made of."),
    ("fold", _INTEGER, "Fold of the person."),
    ("source", _TEXT, "The dataset it came from."),
    ("licence", _TEXT, "SPDX id, or a name of Palette's table of licences."),
    ("width", _INTEGER, "Pixels."),
    ("height", _INTEGER, "Pixels."),
    ("sha256", _TEXT, "Of the file's bytes."),
)
_LABELS: Final = frozenset({"mask", "gender", "age_group", "label", "class"})
_ENUMERATIONS: Final = {axis: (f"{axis}s", words) for axis, words in AXES.items()}
_SPLITS: Final = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit"}


def dump(description: dict[str, Any]) -> str:
    """Returns a description as JSON text, one property a line."""
    return json.dumps(description, indent=2, ensure_ascii=False) + "\n"


def croissant(frame: pd.DataFrame, table: str, about: About) -> dict[str, Any]:
    """Describes an exported folder.

    Args:
        frame: The exported rows, `path` relative to the folder.
        table: The text of its metadata.csv.
        about: What the manifest can't know.

    Returns:
        The JSON-LD document.
    """
    splits = sorted({path.partition("/")[0] for path in frame["path"].tolist()})
    cited = citations(frame)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": about.name,
        "conformsTo": CONFORMS_TO,
        "description": _description(frame),
        **({"citeAs": cited} if cited else {}),
        "license": _licences(frame),
        **({"url": about.url} if about.url else {}),
        **({"creator": {"@type": "Organization", "name": about.creator}} if about.creator else {}),
        **({"datePublished": about.published} if about.published else {}),
        "version": about.version,
        "keywords": ["face masks", "gender", "age", "image classification"],
        "isLiveDataset": False,
        "distribution": [_table_object(table), _photo_set(frame)],
        "recordSet": [_split_set(splits), *(_enumeration(*words) for words in _ENUMERATIONS.values()), _records()],
    }


def _description(frame: pd.DataFrame) -> str:
    made = int(frame["parent_id"].notna().sum())
    persons, sources = counted(frame["person_id"].nunique(), "person"), counted(frame["source"].nunique(), "source")
    return (
        f"{counted(len(frame) - made, 'photo')} of faces and {counted(made, 'variant')} of such, of {persons} from "
        f"{sources}, labelled with how a mask is worn, gender and age group. DATACARD.md in the same folder says more."
    )


def _licences(frame: pd.DataFrame) -> list[str]:
    """Addresses where there are any, ids and names of our table where there are none."""
    known = [find_licence(str(licence)) for licence in sorted(frame["licence"].unique().tolist())]
    return [terms.url or f"{terms.name} ({terms.id})" for terms in known]


def _table_object(table: str) -> dict[str, Any]:
    content = table.encode()
    return {
        "@type": "cr:FileObject",
        "@id": _TABLE,
        "name": _TABLE,
        "description": "One row a photo: where it lies and all that is known of it.",
        "contentUrl": _TABLE,
        "contentSize": f"{len(content)} B",
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _photo_set(frame: pd.DataFrame) -> dict[str, Any]:
    shapes = sorted({(path.partition("/")[0], PurePosixPath(path).suffix) for path in frame["path"].tolist()})
    formats = sorted({_TYPES.get(suffix, _OTHER_TYPE) for _, suffix in shapes})
    return {
        "@type": "cr:FileSet",
        "@id": _PHOTOS,
        "name": _PHOTOS,
        "description": "The photos; their hashes are in metadata.csv.",
        "encodingFormat": formats[0] if len(formats) == 1 else formats or "image/jpeg",
        "includes": [f"{split}/*/[0-9a-f]*{suffix}" for split, suffix in shapes],
    }


def _split_set(splits: list[str]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [_field("splits/name", _TEXT), _field("splits/url", "sc:URL")],
        "data": [{"splits/name": split, "splits/url": _SPLITS[split]} for split in splits],
    }


def _enumeration(name: str, words: tuple[str, ...]) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "dataType": "sc:Enumeration",
        "key": {"@id": f"{name}/name"},
        "field": [_field(f"{name}/name", _TEXT)],
        "data": [{f"{name}/name": word} for word in words],
    }


def _records() -> dict[str, Any]:
    of_table = [_column(name, kind, told) for name, kind, told in _FIELDS]
    return {
        "@type": "cr:RecordSet",
        "@id": "photos",
        "name": "photos",
        "description": "Photos with their labels.",
        "key": {"@id": "photos/file_name"},
        "field": [
            _path(),
            {**_column("split", _TEXT, "Which split it belongs to."), "references": {"field": {"@id": "splits/name"}}},
            _image(),
            *of_table,
        ],
    }


def _column(name: str, kind: str, told: str) -> dict[str, Any]:
    source = {"fileObject": {"@id": _TABLE}, "extract": {"column": name}}
    made = _field(f"photos/{name}", [kind, "cr:Label"] if name in _LABELS else kind, told) | {"source": source}
    if name in _ENUMERATIONS:
        made["references"] = {"field": {"@id": f"{_ENUMERATIONS[name][0]}/name"}}
    return made


def _path() -> dict[str, Any]:
    """The photos' own paths, which join them to the table's rows."""
    made = _field("photos/file_name", _TEXT, "Path of the photo in this folder.")
    return made | {
        "source": {
            "fileSet": {"@id": _PHOTOS},
            "extract": {"fileProperty": "fullpath"},
            # All of the path, as text: without a transform mlcroissant compares a path object with the table's text.
            "transform": {"regex": "^(.+)$"},
        },
        "references": {"fileObject": {"@id": _TABLE}, "extract": {"column": "file_name"}},
    }


def _image() -> dict[str, Any]:
    source = {"fileSet": {"@id": _PHOTOS}, "extract": {"fileProperty": "content"}}
    return _field("photos/image", "sc:ImageObject", "The photo.") | {"source": source}


def _field(name: str, kind: str | list[str], told: str = "") -> dict[str, Any]:
    described = {"description": told} if told else {}
    return {"@type": "cr:Field", "@id": name, "name": name.partition("/")[2], **described, "dataType": kind}

"""What Hugging Face's imagefolder form asks for beside photos and tables: a README whose head loaders read.

The form: https://huggingface.co/docs/datasets/image_dataset (a `metadata.csv` with `file_name` in each split's folder)
and https://huggingface.co/docs/hub/datasets-cards (the YAML at the head of README.md).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import pandas as pd

README: Final = "README.md"

# The Hub's own names of licences, by SPDX id; what isn't here is `other` there.
_HUB: Final = {
    **{name: name.lower() for name in ("MIT", "Apache-2.0", "CC0-1.0", "CDLA-Sharing-1.0")},
    **{name: name.lower() for name in ("CDLA-Permissive-1.0", "CDLA-Permissive-2.0")},
    **{name: name.lower() for name in ("CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0")},
    **{name: name.lower() for name in ("CC-BY-NC-2.0", "CC-BY-NC-3.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0")},
    **{name: name.lower() for name in ("CC-BY-NC-SA-2.0", "CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0", "CC-BY-NC-ND-4.0")},
    "PDDL-1.0": "pddl",
    "ODC-By-1.0": "odc-by",
    "ODbL-1.0": "odbl",
}
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST: Final = "1M<n<10M"


def dataset_readme(frame: pd.DataFrame, splits: Sequence[str], card: str, name: str) -> str:
    """Returns the README: licences, size and splits as YAML, then the data card.

    Args:
        frame: The rows that were exported.
        splits: Names of their splits, each a folder.
        card: The data card, Markdown.
        name: What the dataset is called.
    """
    licences = sorted({_HUB.get(str(licence), "other") for licence in frame["licence"].unique().tolist()})
    size = next((said for most, said in _SIZES if len(frame) < most), _LARGEST)
    # JSON's strings are YAML's, too: a name can't break out of its quotes.
    lines = [
        "---",
        f"pretty_name: {json.dumps(name, ensure_ascii=False)}",
        *(["license:", *(f"- {licence}" for licence in licences)] if licences else []),
        "task_categories:",
        "- image-classification",
        "size_categories:",
        f"- {size}",
        "configs:",
        "- config_name: default",
        *(["  data_files:"] if splits else []),
        *(line for split in splits for line in (f"  - split: {split}", f"    path: {split}/**")),
        "---",
    ]
    return "\n".join(lines) + f"\n\n{card}"

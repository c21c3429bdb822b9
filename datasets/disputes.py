"""Photos that a merge admits while another record has the same picture under a licence that its rules exclude.

Whoever copied a photo may say of it what they like: a merge takes each record's word, and lists where two differ.
"""

from __future__ import annotations

from typing import Final

import pandas as pd

from datasets.duplicates.table import same_pictures
from datasets.identities import join_people

DISPUTED: Final = "disputed.csv"
DISPUTED_COLUMNS: Final = ("photo_id", "source", "licence", "other", "other_source", "other_licence")
_PICTURE: Final = "picture"


def disputes(kept: pd.DataFrame, left_out: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Lists the rows that are kept although the same picture, or their photo's, was left out for its licence.

    Args:
        kept: Rows of a manifest.
        left_out: Rows of a manifest whose licences the rules exclude.
        pairs: A table of duplicates; those of kind `exact` and `near` count, and chains of them.

    Returns:
        DISPUTED_COLUMNS by `photo_id`; of several records of the picture that were left out, `other` is the first.
    """
    files = [frame.loc[frame["sha256"].isin(left_out["sha256"]), ["sha256", "photo_id"]] for frame in (kept, left_out)]
    twins = pd.concat(files, ignore_index=True)
    links = list(zip(twins.groupby("sha256")["photo_id"].transform("min"), twins["photo_id"], strict=True))
    links += same_pictures(pairs)
    same = {} if left_out.empty else join_people(links)
    if not same:
        return pd.DataFrame(columns=list(DISPUTED_COLUMNS))

    def picture(photos: pd.Series[str]) -> pd.Series[str]:
        return photos.map(same).fillna(photos)

    theirs = left_out.sort_values("photo_id")
    theirs = theirs.assign(**{_PICTURE: picture(theirs["parent_id"].fillna(theirs["photo_id"]))})
    others = theirs.drop_duplicates(_PICTURE).set_index(_PICTURE)[["photo_id", "source", "licence"]]
    others = others.rename(columns={"photo_id": "other", "source": "other_source", "licence": "other_licence"})
    shown = picture(kept["parent_id"].fillna(kept["photo_id"]))
    found = kept[["photo_id", "source", "licence"]].assign(**{_PICTURE: shown}).join(others, on=_PICTURE, how="inner")
    return found[list(DISPUTED_COLUMNS)].sort_values("photo_id", ignore_index=True)

"""Licences a photo may come under: SPDX ids (spdx.org/licenses), and `LicenseRef-` names of our own where none fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from datasets.errors import UsageError

Kind = Literal[
    "free", "attribution", "share_alike", "no_derivatives", "non_commercial", "research_only", "unstated", "unknown"
]


@dataclass(frozen=True)
class Licence:
    """What a dataset's terms allow.

    Attributes:
        id: SPDX id, or a `LicenseRef-` name.
        name: As people call it.
        kind: What rules look at; the most restrictive of its terms.
        url: Where the terms can be read; empty where there are none to read.
        note: What a user of the photos should know.
    """

    id: str
    name: str
    kind: Kind
    url: str = ""
    note: str = ""


_CC: Final = "https://creativecommons.org/licenses"
_SPDX: Final = "https://spdx.org/licenses"
UNSTATED: Final = "LicenseRef-unstated"
COMPETITION: Final = "LicenseRef-competition"
PERMISSION: Final = "LicenseRef-permission"

ASKS: Final[dict[Kind, str]] = {
    "free": "nothing",
    "attribution": "name the authors and the licence, and say what you changed",
    "share_alike": "name the authors, and pass on what you make of it under the same terms",
    "no_derivatives": "name the authors, pass on no changed copies, as variants are, and whatever else its terms say",
    "non_commercial": "no commercial use, and whatever else its terms say",
    "research_only": "only the research, or the competition, that its terms name",
    "unstated": "the owner's permission, for any use",
    "unknown": "read its terms: Palette's table doesn't have them",
}
"""What each kind asks of whoever uses the photos, in one line; the terms themselves decide."""

_TABLE: Final = (
    Licence("CC0-1.0", "Creative Commons Zero 1.0", "free", "https://creativecommons.org/publicdomain/zero/1.0/"),
    Licence(
        "PDDL-1.0", "Open Data Commons Public Domain Dedication", "free", "https://opendatacommons.org/licenses/pddl/"
    ),
    Licence("LicenseRef-public-domain", "Public domain", "free", note="Out of copyright, or given up by its owner."),
    Licence("LicenseRef-own", "Your own photographs", "free", note="Whoever ingests them owns them and has consent."),
    Licence(PERMISSION, "Written permission", "free", note="The owner has agreed to this use in writing."),
    Licence("LicenseRef-generated", "Drawn by this program", "free", note="Sample people; nobody is shown."),
    Licence("MIT", "MIT License", "attribution", f"{_SPDX}/MIT.html"),
    Licence("Apache-2.0", "Apache License 2.0", "attribution", f"{_SPDX}/Apache-2.0.html"),
    Licence(
        "CDLA-Permissive-1.0",
        "Community Data License, Permissive 1.0",
        "attribution",
        f"{_SPDX}/CDLA-Permissive-1.0.html",
    ),
    Licence(
        "CDLA-Permissive-2.0",
        "Community Data License, Permissive 2.0",
        "attribution",
        f"{_SPDX}/CDLA-Permissive-2.0.html",
    ),
    Licence("CC-BY-2.0", "Creative Commons Attribution 2.0", "attribution", f"{_CC}/by/2.0/"),
    Licence("CC-BY-3.0", "Creative Commons Attribution 3.0", "attribution", f"{_CC}/by/3.0/"),
    Licence("CC-BY-4.0", "Creative Commons Attribution 4.0", "attribution", f"{_CC}/by/4.0/", "Name the authors."),
    Licence("ODC-By-1.0", "Open Data Commons Attribution", "attribution", "https://opendatacommons.org/licenses/by/"),
    Licence("CC-BY-SA-2.0", "Creative Commons Attribution-ShareAlike 2.0", "share_alike", f"{_CC}/by-sa/2.0/"),
    Licence("CC-BY-SA-3.0", "Creative Commons Attribution-ShareAlike 3.0", "share_alike", f"{_CC}/by-sa/3.0/"),
    Licence("CC-BY-SA-4.0", "Creative Commons Attribution-ShareAlike 4.0", "share_alike", f"{_CC}/by-sa/4.0/"),
    Licence("ODbL-1.0", "Open Database License", "share_alike", "https://opendatacommons.org/licenses/odbl/"),
    Licence("CDLA-Sharing-1.0", "Community Data License, Sharing 1.0", "share_alike", f"{_SPDX}/CDLA-Sharing-1.0.html"),
    Licence("CC-BY-ND-2.0", "Creative Commons Attribution-NoDerivatives 2.0", "no_derivatives", f"{_CC}/by-nd/2.0/"),
    Licence("CC-BY-ND-4.0", "Creative Commons Attribution-NoDerivatives 4.0", "no_derivatives", f"{_CC}/by-nd/4.0/"),
    Licence("CC-BY-NC-2.0", "Creative Commons Attribution-NonCommercial 2.0", "non_commercial", f"{_CC}/by-nc/2.0/"),
    Licence("CC-BY-NC-3.0", "Creative Commons Attribution-NonCommercial 3.0", "non_commercial", f"{_CC}/by-nc/3.0/"),
    Licence("CC-BY-NC-4.0", "Creative Commons Attribution-NonCommercial 4.0", "non_commercial", f"{_CC}/by-nc/4.0/"),
    Licence("CC-BY-NC-SA-2.0", "CC BY-NC-SA 2.0", "non_commercial", f"{_CC}/by-nc-sa/2.0/"),
    Licence("CC-BY-NC-SA-3.0", "CC BY-NC-SA 3.0", "non_commercial", f"{_CC}/by-nc-sa/3.0/"),
    Licence("CC-BY-NC-SA-4.0", "CC BY-NC-SA 4.0", "non_commercial", f"{_CC}/by-nc-sa/4.0/"),
    Licence("CC-BY-NC-ND-2.0", "CC BY-NC-ND 2.0", "no_derivatives", f"{_CC}/by-nc-nd/2.0/"),
    Licence("CC-BY-NC-ND-4.0", "CC BY-NC-ND 4.0", "no_derivatives", f"{_CC}/by-nc-nd/4.0/"),
    Licence("LicenseRef-non-commercial", "Non-commercial use, by terms of its own", "non_commercial"),
    Licence("LicenseRef-research", "Research only, by terms of its own", "research_only"),
    Licence(COMPETITION, "The competition's terms", "research_only", note="For its own competition, and nowhere else."),
    Licence(UNSTATED, "No licence stated", "unstated", note="All rights are reserved then: ask the owner."),
)
LICENCES: Final = {licence.id: licence for licence in _TABLE}


def find_licence(licence_id: str) -> Licence:
    """Returns the licence of an id; one that isn't in the table has the kind `unknown`, which no rules admit."""
    return LICENCES.get(licence_id) or Licence(licence_id, licence_id, "unknown", note="Not in the table of licences.")


def spelt(licence_id: str) -> str:
    """Returns an id as the table spells it, whatever its case; one that the table hasn't, only stripped."""
    asked = licence_id.strip()
    return next((known for known in LICENCES if known.lower() == asked.lower()), asked)


def check_licence(licence_id: str) -> str:
    """Returns the id as the table spells it, whatever its case.

    Raises:
        UsageError: If the table has no such licence; the message lists those it has.
    """
    known = spelt(licence_id)
    if known not in LICENCES:
        raise UsageError(f"unknown licence {licence_id!r}; known: {', '.join(LICENCES)}")
    return known

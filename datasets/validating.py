"""Tables checked against their pandera schemas, and what is wrong with them said in one line."""

from __future__ import annotations

import pandas as pd
import pandera.errors
import pandera.pandas as pa

from datasets.errors import ManifestError
from datasets.wording import counted


def validate(frame: pd.DataFrame, schema: type[pa.DataFrameModel], columns: tuple[str, ...], what: str) -> pd.DataFrame:
    """Returns a table with its columns in order and cast to their types.

    Args:
        frame: To check.
        schema: Its rules.
        columns: All of its columns, in order.
        what: It is called in messages.

    Raises:
        ManifestError: With one line for each rule that is broken, how many rows break it, and one of their values.
    """
    missing = [column for column in columns if column not in frame.columns]
    unknown = [str(column) for column in frame.columns if column not in columns]
    if missing or unknown:
        raise ManifestError(f"not a {what}: missing columns {missing}, unknown columns {unknown}")
    frame = frame[list(columns)].reset_index(drop=True)
    try:
        return pd.DataFrame(schema.validate(frame, lazy=True))
    except pandera.errors.SchemaErrors as error:
        raise ManifestError(f"not a valid {what}: {_explain(error.failure_cases)}") from error


def _explain(failures: pd.DataFrame) -> str:
    """Says in one line which rules are broken, by how many rows, with an example of each."""
    uncast = set(failures.loc[failures["check"].str.startswith("coerce_dtype"), "column"])
    lines = []
    for (context, column, check), cases in failures.groupby(["schema_context", "column", "check"], dropna=False):
        example = str(cases["failure_case"].iloc[0])[:80]
        rule = f"{column}: {check}"
        if context == "DataFrameSchema":
            if column != "photo_id":
                continue  # pandera repeats a failing row of a rule about the whole row once a column
            rule = str(check)
        elif column in uncast and not str(check).startswith("coerce_dtype"):
            continue
        lines.append(f"{rule} ({counted(cases['index'].nunique(), 'row')}, such as {example!r})")
    return "; ".join(lines)

"""How long a merge of very many rows takes, and what memory.

    .venv/bin/python -m benchmarks.merge [--rows 1000000] [--manifests 5] [--once]

The rows are made up, since it is rows, not photos, that are merged: people with four photos each, every label, one row
in a hundred with the bytes of another source's, mostly under other labels. The rows of a manifest share 500 small
files, so that looking each up costs what it costs with files of its own that the system has just seen. Each merge runs
in a process of its own, which says what memory it took at most. It is run three times: as it is, with the manifests in
reverse order, and over its own result; all three must give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.common import REPOSITORY
from datasets.labels import GENDERS, MASK_STATES
from datasets.manifest import validate_manifest, with_labels, write_valid
from datasets.schema import COLUMNS

MOST_SECONDS, MOST_BYTES = 60.0, 4 * 1024**3
FILES = 500
PHOTOS_A_PERSON = 4
TWINS = 0.01
WRITTEN = ("manifest.parquet", "manifest.csv", "refusals.csv", "people.json")

_CHILD = """
import json, resource, sys, time
from pathlib import Path
from datasets.merge import merge
wall, cpu = time.perf_counter(), time.process_time()
result = merge([Path(path) for path in sys.argv[2:]], Path(sys.argv[1]), rules="competition")
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu,
    "peak": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024), "rows": len(result.manifest),
    "refusals": result.refusals["reason"].value_counts().to_dict(), "people": result.people}))
"""


def made_up(source: int, rows: int, sources: int) -> pd.DataFrame:
    """A manifest of made-up rows; its first rows have the bytes of the next source's last ones."""
    rng = np.random.default_rng(source)
    name, person = f"source{source}", np.arange(rows) // PHOTOS_A_PERSON
    owner = np.full(rows, source)
    number = np.arange(rows)
    twins = int(rows * TWINS)
    owner[:twins] = (source + 1) % sources
    number[:twins] = rows - 1 - np.arange(twins)
    hashes = [
        hashlib.sha256(f"{o} {n}".encode()).hexdigest() for o, n in zip(owner.tolist(), number.tolist(), strict=True)
    ]
    people = int(person[-1]) + 1
    gender = np.array(GENDERS)[rng.integers(0, 2, people)][person]
    age = rng.integers(0, 95, people)[person].astype(float)
    frame = pd.DataFrame(
        {
            "photo_id": [f"{name}:{p:06d}/{n:07d}.jpg" for p, n in zip(person.tolist(), range(rows), strict=True)],
            "path": [f"photos/{n % FILES:03d}.jpg" for n in range(rows)],
            "sha256": hashes,
            "phash": [text[:16] for text in hashes],
            "width": 384,
            "height": 512,
            "source": name,
            "licence": "CC-BY-4.0",
            "person_id": [f"{name}:{p:06d}" for p in person.tolist()],
            "mask": np.array(MASK_STATES)[rng.integers(0, 3, rows)],
            "gender": gender,
            "age": age,
        }
    )
    return validate_manifest(with_labels(frame.reindex(columns=list(COLUMNS))))


def make_inputs(folder: Path, rows: int, manifests: int) -> list[Path]:
    """Writes the manifests, each with the few files that its rows share."""
    inputs = []
    for source in range(manifests):
        out = folder / f"source{source}"
        (out / "photos").mkdir(parents=True)
        for number in range(FILES):
            (out / "photos" / f"{number:03d}.jpg").write_bytes(b"x")
        write_valid(made_up(source, rows // manifests, manifests), out)
        inputs.append(out)
    return inputs


def run_merge(out: Path, inputs: list[Path]) -> dict[str, Any]:
    """One merge in a process of its own: seconds, processor seconds, bytes, and what came out."""
    command = [sys.executable, "-c", _CHILD, str(out), *map(str, inputs)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def digest(folder: Path) -> str:
    """SHA-256 of all that a merge wrote."""
    whole = hashlib.sha256()
    for name in WRITTEN:
        whole.update((folder / name).read_bytes())
    return whole.hexdigest()


def main() -> int:
    """Runs the benchmark; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--manifests", type=int, default=5)
    parser.add_argument("--once", action="store_true", help="only as named; says nothing of the order")
    given, console = parser.parse_args(), Console(width=120)
    table = Table(title=f"{given.rows:,} made-up rows of {given.manifests} manifests", title_justify="left")
    for name in ("merge", "seconds", "processor s", "peak GB", "rows", "refusals"):
        table.add_column(name, justify="left" if name in ("merge", "refusals") else "right")
    runs, digests = [], set()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        inputs = make_inputs(out, given.rows, given.manifests)
        orders = {"as named": inputs, "in reverse order": inputs[::-1], "over its result": [*inputs, out]}
        for name, order in list(orders.items())[: 1 if given.once else None]:
            told = run_merge(out, order)
            runs.append(told)
            digests.add(digest(out))
            refusals = ", ".join(f"{reason} {count:,}" for reason, count in sorted(told["refusals"].items()))
            table.add_row(
                name, f"{told['wall']:.1f}", f"{told['cpu']:.1f}", f"{told['peak'] / 1024**3:.2f}",
                f"{told['rows']:,}", refusals,
            )  # fmt: skip
    console.print(table)
    first = runs[0]
    results = [
        (f"at most {MOST_SECONDS:.0f} seconds", f"{first['wall']:.1f}", first["wall"] <= MOST_SECONDS),
        ("at most 4 GB", f"{first['peak'] / 1024**3:.2f}", first["peak"] <= MOST_BYTES),
    ]
    if not given.once:
        results.append(("the same bytes in any order and over its result", str(len(digests)), len(digests) == 1))
    for asked, measured, met in results:
        print(f"{'met   ' if met else 'MISSED'}  {measured:>6}  {asked}")
    return 0 if all(met for _, _, met in results) else 1


if __name__ == "__main__":
    sys.exit(main())

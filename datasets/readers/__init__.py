"""A reader per source: folders as they lie on disk in, manifests out."""

from __future__ import annotations

import datasets.readers.all_age_faces
import datasets.readers.competition
import datasets.readers.folder
import datasets.readers.medical_masks
import datasets.readers.mega_age  # noqa: F401  these enter themselves into the registry
from datasets.readers.base import ReaderInfo, get_reader, list_readers, register
from datasets.readers.ingest import Ingested, ingest, save_ingest
from datasets.tables import read_labels_csv

__all__ = [
    "Ingested",
    "ReaderInfo",
    "get_reader",
    "ingest",
    "list_readers",
    "read_labels_csv",
    "register",
    "save_ingest",
]

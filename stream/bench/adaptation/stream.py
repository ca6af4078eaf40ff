"""The streams of the benchmark: versions and events in training order, as any arm reads them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from stream.data import journey, synthetic
from stream.errors import ConfigurationError
from stream.records.interaction import Interaction, decode_interaction
from stream.schema import Version, parse_version

__all__ = ["STREAMS", "BenchStream", "StreamSource", "stream_named"]

Item = Version | Interaction


@dataclass(frozen=True, slots=True)
class BenchStream:
    """A stream held in memory.

    Attributes:
        name: its name in `STREAMS`.
        items: versions and events in training order, a version just before the first event under it; the first is
            version 1.
        attribute: what `evaluation.attribute` is to be; None for no attribute.
        domain: the feature whose value is the event's domain (period, region, scene); None for no domains.
        settings: further settings by dotted key that belong to the data rather than to an arm.
        realised, bayes: `(events,)` nats summed over the possible offers: the loss of the true probabilities on the
            labels drawn, and its expectation. None if the truth is not known.
        config: of a user's own stream: a configuration file below all other settings; None for none.
    """

    name: str
    items: list[Item]
    attribute: str | None = None
    domain: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    config: Path | None = None
    realised: NDArray[np.float64] | None = None
    bayes: NDArray[np.float64] | None = None

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(isinstance(item, Interaction) for item in self.items)

    def beginning(self, events: int) -> BenchStream:
        """Return the stream up to its first so many events, without what is known of their truth."""
        items: list[Item] = []
        for item in self.items:
            events -= isinstance(item, Interaction)
            if events < 0:
                break
            items.append(item)
        return replace(self, items=items, realised=None, bayes=None)

    @property
    def versions(self) -> list[Version]:
        """The schema versions, in order."""
        return [item for item in self.items if isinstance(item, Version)]

    @property
    def changes(self) -> list[int]:
        """The events (from 0, ascending, each once) before which a version after the first takes effect."""
        found: dict[int, None] = {}
        events = versions = 0
        for item in self.items:
            if isinstance(item, Interaction):
                events += 1
                continue
            versions += 1
            if versions > 1:
                found[events] = None
        return list(found)

    def batches(self, batch_size: int) -> Iterator[tuple[list[Version], list[Interaction]]]:
        """Yield the versions that take effect (mostly none) and the events of each batch after them.

        A batch never spans a version. Raises ValueError if `batch_size` is below 1.
        """
        if batch_size < 1:
            raise ValueError(f"a batch of {batch_size} events cannot be; take 1 at least")
        versions: list[Version] = []
        events: list[Interaction] = []
        for item in self.items:
            if isinstance(item, Version):
                if events:
                    yield versions, events
                    versions, events = [], []
                versions.append(item)
                continue
            events.append(item)
            if len(events) == batch_size:
                yield versions, events
                versions, events = [], []
        if versions or events:
            yield versions, events


@dataclass(frozen=True, slots=True)
class StreamSource:
    """How to have a stream: a sentence about it, and a call with a seed and how many events (None: its own length).

    A stream of recorded data is the same for every seed. Raises ConfigurationError, in one sentence, if the data
    cannot be had.
    """

    sentence: str
    load: Callable[[int, int | None], BenchStream]

    def __call__(self, seed: int, events: int | None = None) -> BenchStream:
        """Return the stream."""
        return self.load(seed, events)


def stream_named(name: str) -> StreamSource:
    """Return the source of a stream; raises ConfigurationError, listing the known ones, for a name that is none."""
    if name not in STREAMS:
        raise ConfigurationError(f"no stream {name!r}; there are: {', '.join(STREAMS)}")
    return STREAMS[name]


def of_json(objects: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
    """Read JSON objects of the contract, versions and interactions mixed, as every reader of the contract does."""
    for value in objects:
        data = orjson.dumps(value)
        if "changes" in value:
            yield parse_version(data)
            continue
        interaction = decode_interaction(data)
        if isinstance(interaction.shown, tuple):  # a name a thousand times over is held once
            interaction.shown = tuple(map(sys.intern, interaction.shown))
        yield interaction


def _demo(seed: int, events: int | None) -> BenchStream:
    with tempfile.TemporaryDirectory(prefix="stream-bench-") as directory:
        files = journey.write(directory, events)
        versions = [parse_version(line) for line in files.schema.read_bytes().splitlines()]
        interactions = [decode_interaction(line) for line in files.interactions.read_bytes().splitlines()]
    return BenchStream("demo", merged(versions, interactions), "category")


def merged(versions: list[Version], interactions: list[Interaction]) -> list[Item]:
    """Put versions and events, each in order of time, into one order: a version first at an equal time."""
    items: list[Item] = []
    waiting = iter(versions)
    version = next(waiting, None)
    for interaction in interactions:
        while version is not None and version.ts <= interaction.ts:
            items.append(version)
            version = next(waiting, None)
        items.append(interaction)
    return items


def _movielens(seed: int, events: int | None) -> BenchStream:
    from stream.data import movielens

    return BenchStream("movielens", list(of_json(movielens.stream(events))), "genre")


def _synthetic(name: str, seed: int, events: int | None) -> BenchStream:
    settings = synthetic.scenario(name, seed) if events is None else synthetic.scenario(name, seed, events)
    items: list[Item] = []
    bayes: list[float] = []
    realised: list[float] = []
    for item in synthetic.generate(settings):
        if isinstance(item, dict):
            items.append(parse_version(orjson.dumps(item)))
            continue
        items.append(decode_interaction(orjson.dumps(item.interaction)))
        bayes.append(item.bayes)
        realised.append(item.realised)
    return BenchStream(
        name=f"synthetic:{name}",
        items=items,
        attribute=synthetic.GROUP,
        domain=settings.domain if settings.domains else None,
        realised=np.array(realised),
        bayes=np.array(bayes),
    )


STREAMS: Final[Mapping[str, StreamSource]] = {
    "demo": StreamSource("The Complete Journey: grocery baskets and the offers of 27 coupon campaigns.", _demo),
    "movielens": StreamSource(
        "MovieLens-100K: what a person rates in one sitting; a film is an offer while people rate it.", _movielens
    ),
    **{
        f"synthetic:{name}": StreamSource(sentence, partial(_synthetic, name))
        for name, sentence in synthetic.SENTENCES.items()
    },
}
"""Every stream by name."""

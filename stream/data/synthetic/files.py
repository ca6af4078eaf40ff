"""A synthetic stream as files: the contract's two, and the truth beside them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from numpy.typing import NDArray

from stream.data.synthetic.generator import generate
from stream.data.synthetic.settings import SyntheticSettings


@dataclass(frozen=True, slots=True)
class SyntheticFiles:
    """Where the files are, what they hold, and the mean losses per (event, possible offer) pair of the truth."""

    interactions: Path
    schema: Path
    truth: Path
    events: int
    versions: int
    bayes_loss: float
    realised_loss: float


@dataclass(frozen=True, slots=True)
class Truth:
    """What `truth.jsonl` says of N events: sums of nats `(N,)` and the possible offers `(N,)` they are taken over."""

    ids: list[str]
    bayes: NDArray[np.float64]
    realised: NDArray[np.float64]
    pairs: NDArray[np.int64]


def write(directory: Path | str, settings: SyntheticSettings, probabilities: bool = False) -> SyntheticFiles:
    """Write `interactions.jsonl`, `schema.jsonl` and `truth.jsonl` into `directory`.

    A line of the truth is `{"id", "bayes": [sum, pairs], "realised": sum}` and, if asked for, `"probabilities"`: the
    true one of each live offer by name.

    Raises:
        InvalidVersion, SchemaRejected: the schedule breaks the contract.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / name for name in ("interactions.jsonl", "schema.jsonl", "truth.jsonl")]
    events = versions = pairs = 0
    bayes = realised = 0.0
    with paths[0].open("wb") as interactions, paths[1].open("wb") as schema, paths[2].open("wb") as truth:
        for item in generate(settings):
            if isinstance(item, dict):
                schema.write(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE))
                versions += 1
                continue
            interactions.write(orjson.dumps(item.interaction, option=orjson.OPT_APPEND_NEWLINE))
            line = {"id": item.interaction["id"], "bayes": [item.bayes, item.pairs], "realised": item.realised}
            if probabilities:
                true = 1 / (1 + np.exp(-item.logits))
                line["probabilities"] = dict(zip(item.offers, true.tolist(), strict=True))
            truth.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            events += 1
            pairs += item.pairs
            bayes += item.bayes
            realised += item.realised
    return SyntheticFiles(
        interactions=paths[0],
        schema=paths[1],
        truth=paths[2],
        events=events,
        versions=versions,
        bayes_loss=bayes / max(1, pairs),
        realised_loss=realised / max(1, pairs),
    )


def read_truth(path: Path | str) -> Truth:
    """Read a `truth.jsonl` back."""
    with Path(path).open("rb") as file:
        lines = [orjson.loads(line) for line in file]
    return Truth(
        ids=[line["id"] for line in lines],
        bayes=np.array([line["bayes"][0] for line in lines]),
        realised=np.array([line["realised"] for line in lines]),
        pairs=np.array([line["bayes"][1] for line in lines], dtype=np.int64),
    )

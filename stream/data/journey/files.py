"""The journey as two files in the contract's form, built once and then reused."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from stream.data.journey.events import Journey

_FORMAT = 1  # raise it whenever the content of the files changes, so that files built before are built anew


@dataclass(frozen=True, slots=True)
class JourneyFiles:
    """Where the files are and what they hold."""

    interactions: Path
    schema: Path
    events: int
    events_with_labels: int
    versions: int
    offers: int


def write(directory: Path | str, events: int | None = None, schema_version: bool = False) -> JourneyFiles:
    """Write `interactions.jsonl` and `schema.jsonl` of the first `events` events (None: all) into `directory`.

    Files already there that were written with the same arguments are reused without reading the tables. A manifest
    written last marks them complete, so a build that was cut off is done again.

    Raises:
        ConfigurationError: the files are not there and the optional package is not installed.
    """
    directory = Path(directory)
    interactions, schema = directory / "interactions.jsonl", directory / "schema.jsonl"
    manifest = directory / "journey.json"
    wanted = {"format": _FORMAT, "limit": events, "schema_version": schema_version}
    counts = _reusable(manifest, wanted)
    if counts is None:
        journey = Journey.load()
        directory.mkdir(parents=True, exist_ok=True)
        manifest.unlink(missing_ok=True)
        written = labelled = 0
        with interactions.open("wb") as out:
            for interaction in journey.interactions(events, schema_version):
                out.write(orjson.dumps(interaction) + b"\n")
                written += 1
                labelled += bool(interaction["labels"])
        versions = journey.versions(events)
        with schema.open("wb") as out:
            out.writelines(orjson.dumps(version) + b"\n" for version in versions)
        offers = sum(change["op"] == "add_label" for version in versions for change in version["changes"])
        counts = {"events": written, "events_with_labels": labelled, "versions": len(versions), "offers": offers}
        incomplete = manifest.with_suffix(".tmp")
        incomplete.write_text(json.dumps({**wanted, "counts": counts}), encoding="utf-8")
        os.replace(incomplete, manifest)
    return JourneyFiles(interactions=interactions, schema=schema, **counts)


def _reusable(manifest: Path, wanted: dict[str, Any]) -> dict[str, int] | None:
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    counts: dict[str, int] = found.pop("counts", {})
    return counts if counts and found == wanted else None

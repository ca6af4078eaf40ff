"""The settings as a page of the documentation: a table for each section."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from stream.settings.catalogue import Entry, entries
from stream.settings.show import literal, sentence

__all__ = ["markdown_page"]

_INTRODUCTION = """# Settings

`stream config --output stream.toml` writes every setting with its meaning, its default, its unit and its environment
variable. Later layers override earlier ones:

1. the defaults,
2. the TOML file of `--config FILE`,
3. the environment: `STREAM_SEED`, `STREAM_CHECKPOINT__KEEP`, `STREAM_KAFKA__OPTIONS__SSL_CAFILE`,
4. `--set KEY=VALUE`: `--set seed=1 --set checkpoint.keep=5`.

Settings are checked at start: an unknown key or a wrong value ends the command with exit code 2 and a sentence that
names the key, where it was set and what to do. `stream config --effective` shows the values in force. Whatever is named
like a password, a secret or a token is printed as asterisks. In the environment and in `--set`, an option of Kafka is
read as a number or a truth value if it looks like one; quotes keep it a text:
`--set 'kafka.options.sasl_plain_username="123"'`.

This page is written by `python -m stream.settings`.
"""


def markdown_page(kind: type[Any]) -> str:
    """Return the page of every setting below `kind`."""
    return "\n".join([_INTRODUCTION, *_tables(kind)]) + "\n"


def _tables(kind: type[Any]) -> Iterator[str]:
    for table, group in groupby(entries(kind), key=lambda entry: entry.table):
        yield f"## `[{table}]`\n" if table else "## Top level\n"
        yield "| setting | default | unit | allowed | meaning |"
        yield "|---|---|---|---|---|"
        yield from (_row(entry) for entry in group)
        yield ""


def _row(entry: Entry) -> str:
    about = entry.about
    allowed = ", ".join(str(choice) for choice in about.choices) or about.range_text()
    default = "not set" if entry.default is None else f"`{literal(entry.default)}`"
    meaning = sentence(about.help).replace("|", "\\|")
    return f"| `{entry.key}` | {default} | {about.unit} | {allowed} | {meaning} |"

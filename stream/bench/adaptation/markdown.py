"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

__all__ = ["markdown_table"]

_NUMBER: Final = re.compile(r"(x )?[-+]?[0-9.,]+.*|-|none|")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with numbers to the right and everything else to the left."""
    aligned = [
        "---:" if number and all(_NUMBER.fullmatch(row[number]) for row in rows) else "---"
        for number in range(len(header))
    ]
    lines = [header, aligned, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"

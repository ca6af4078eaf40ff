"""Pages that are written from the code are those that the code writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["metrics", "settings"])
def test_a_generated_page_is_up_to_date(name: str) -> None:
    command = [sys.executable, "-m", f"stream.{name}"]
    wanted = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    page = DOCS / f"{name}.md"
    assert page.read_text(encoding="utf-8") == wanted, f"write it anew: python -m stream.{name} > docs/{name}.md"


def test_the_settings_that_are_documented_are_those_that_there_are() -> None:
    from stream.settings.catalogue import entries
    from stream.settings.root import Settings

    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    keys = [entry.key for entry in entries(Settings)]
    assert all(f"| `{key}` |" in text for key in keys)
    assert text.count("\n| `") == len(keys)

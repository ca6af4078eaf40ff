"""The order of what shares a cluster."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put a test marked `first` before the others of its file, after these were shuffled: they leave things behind."""
    for item in [item for item in items if item.get_closest_marker("first")]:
        items.remove(item)
        others = (index for index, other in enumerate(items) if other.path == item.path)
        items.insert(next(others, len(items)), item)

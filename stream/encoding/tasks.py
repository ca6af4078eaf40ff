"""Tasks: offers that one attribute tells apart, so that each group can have weights of its own on a shared trunk."""

from __future__ import annotations

from collections.abc import Mapping

from stream.encoding.slots import SlotRegistry
from stream.state import Tree

__all__ = ["DEFAULT", "Tasks"]

DEFAULT = ""
"""The task of offers that lack the attribute; it owns slot 0 and never ends."""


class Tasks:
    """The task of each live offer, and a slot for each task; without an attribute all offers are of the default task.

    A task starts with its first offer. At most `limit` of them live beside the default one; the offers of further
    tasks belong to the default task for as long as they live.
    """

    def __init__(self) -> None:
        self.attribute: str | None = None
        self.limit = 0
        self.names = SlotRegistry(1)
        self.names.add(DEFAULT)
        self._of: dict[str, str] = {}
        self._started: list[str] = []

    def tell_apart_by(self, attribute: str, limit: int) -> None:
        """Let the values of `attribute` be tasks, at most `limit` of them; call it before the first offer."""
        self.attribute, self.limit = attribute, limit

    def of(self, offer: str) -> str:
        """Return the task of a live offer."""
        return self._of[offer]

    def join(self, offer: str, attributes: Mapping[str, str]) -> str:
        """Put an offer into the task that its attributes name, which starts if it is new; return it."""
        task = DEFAULT if self.attribute is None else attributes.get(self.attribute, DEFAULT)
        if task not in self.names:
            if len(self.names) > self.limit:
                task = DEFAULT
            else:
                self.names.add(task)
                self._started.append(task)
        self._of[offer] = task
        return task

    def leave(self, offer: str) -> str:
        """Take an offer out of its task, which lives on until `end_idle`; return it."""
        return self._of.pop(offer)

    def rename(self, offer: str, to: str) -> None:
        """Move an offer to another name."""
        self._of[to] = self._of.pop(offer)

    def started(self) -> list[tuple[str, int]]:
        """Return name and slot of the tasks that have started since the last call."""
        new, self._started = self._started, []
        return [(task, self.names.slot(task)) for task in new]

    def idle(self) -> list[str]:
        """Return the tasks that have no offer any more."""
        used = set(self._of.values())
        return [task for task in self.names if task != DEFAULT and task not in used]

    @property
    def owner(self) -> str:
        """The task that the shared input goes on with: the default one, or the first by name if it has no offer."""
        return min(self._of.values(), default=DEFAULT)  # "" comes before every other name

    def named(self) -> dict[str, str]:
        """Return the offers that are not of the default task, with their tasks."""
        return {offer: task for offer, task in self._of.items() if task != DEFAULT}

    def state(self) -> Tree:
        """Return everything as JSON values."""
        return {"names": self.names.state(), "of": [list(entry) for entry in self._of.items()]}

    def restore(self, tree: Tree) -> None:
        """Take back what `state` returned."""
        self.names.restore(tree["names"])
        self._of = dict(tree["of"])
        self._started = []

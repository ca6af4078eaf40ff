"""Which settings must never be printed, judged by their names."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["MASK", "looks_secret", "masked_value"]

MASK = "********"

# kafka-python's own (sasl_plain_password, ssl_password), the Java client's (sasl.jaas.config) and what
# people call such things elsewhere. A key *file* is a path and may be shown.
_SECRET = re.compile(
    r"pass(word|wd|phrase)|(^|[._-])pwd($|[._-])|secret|token|jaas|credential|(private|api|access)[._-]?key",
    re.IGNORECASE,
)


def looks_secret(key: str) -> bool:
    """Tell whether a setting of this (dotted) name holds something that must not be printed."""
    return _SECRET.search(key) is not None


def masked_value(key: str, value: object) -> object:
    """Return `value` fit for printing: masked if its name, or a name inside it, is that of a secret.

    An empty secret stays empty, so that one can see that it was never set.
    """
    if looks_secret(key):
        return value if value in (None, "") else MASK
    if isinstance(value, Mapping):
        return {name: masked_value(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked_value("", inner) for inner in value]
    return value

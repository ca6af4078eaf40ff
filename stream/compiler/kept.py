"""Compiled loops on disk: whole or not at all, however many processes compile at once, whatever becomes of the files.

numba's own cache has an index file for each function and numbers the files of its compiled signatures. Two processes
that compile different signatures at once can both take the same number, and the index then leads to the code of another
signature. Here the file's name is made of the signature and the machine, and it says itself what it holds.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Callable
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

__all__ = ["KeptLoops"]


class _Files(IndexDataCacheFile):
    """A file for each signature and machine. numba writes each under another name and renames it."""

    def __init__(self, cache_path: str, filename_base: str, source_stamp: object, options: object) -> None:
        super().__init__(cache_path=cache_path, filename_base=filename_base, source_stamp=source_stamp)  # type: ignore[no-untyped-call]
        self._base = filename_base
        self._stamp = self._version, source_stamp, options

    def save(self, key: object, data: object) -> None:
        packed = self._dump((self._stamp, key, data))  # type: ignore[no-untyped-call]
        self._save_data(self._name(key), (hashlib.sha256(packed).digest(), packed))  # type: ignore[no-untyped-call]

    def load(self, key: object) -> object:
        """Return what was saved under the key, None where it is of another source or was damaged; or raise."""
        digest, packed = self._load_data(self._name(key))  # type: ignore[no-untyped-call]
        if hashlib.sha256(packed).digest() != digest:
            return None
        stamp, found, data = pickle.loads(packed)
        return data if (stamp, found) == (self._stamp, key) else None

    def _name(self, key: object) -> str:
        return f"{self._base}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.loop"


class KeptLoops(FunctionCache):
    """The cache of one function. What cannot be read is compiled again, and what cannot be kept is said once."""

    _warned = False

    def __init__(self, loop: Callable[..., Any], options: dict[str, Any]) -> None:
        super().__init__(loop)  # type: ignore[no-untyped-call]
        of_source = self._impl.locator.get_source_stamp()
        named = sorted((name, sorted(value) if isinstance(value, set) else value) for name, value in options.items())
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, of_source, repr(named))

    def load_overload(self, sig: object, target_context: Any) -> Any:
        """Return the compiled function of a signature, None where there is none that can be used."""
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception:  # no such file; or whatever may come of unpickling one that somebody else has written
            return None

    def save_overload(self, sig: object, data: Any) -> None:
        """Keep the compiled function of a signature, if that can be done."""
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except Exception as error:
            if not KeptLoops._warned:
                KeptLoops._warned = True
                warnings.warn(
                    f"compiled loops cannot be kept in {self._cache_path} ({error}): each process compiles them anew, "
                    "which takes up to a minute. Make room, or name a directory that can be written in "
                    "NUMBA_CACHE_DIR",
                    stacklevel=2,
                )

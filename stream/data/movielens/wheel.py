"""The three files of MovieLens-100K, out of the wheel of the PyPI package `recbole`, in the user's cache."""

from __future__ import annotations

from pathlib import Path

from stream.data.wheel import DataWheel

__all__ = ["FILES", "fetch"]

FILES = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
    "ml-100k.user": "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
}
_WHEEL = DataWheel("movielens", "recbole==1.2.1", "recbole/dataset_example/ml-100k/", FILES, "movielens-100k")


def fetch(directory: Path | None = None) -> dict[str, bytes]:
    """Return the files' bytes by name; what is not in `directory` (None: the user's cache) is downloaded first.

    Raises:
        ConfigurationError: a file cannot be had, and why, in one sentence.
    """
    return _WHEEL.fetch(directory)

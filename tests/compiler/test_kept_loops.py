"""Compiled loops that are kept on disk are the right ones, or none: with two processes at once, and damaged files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOOP = """
import sys, warnings
import numpy as np
from stream.compiler.jit import compiled

warnings.simplefilter("always")

@compiled
def double(values):
    total = values[0] * 0
    for value in values:
        total += value
    return total + total

for kind in sys.argv[1:]:
    assert double(np.arange(5, dtype=kind)) == 20, kind
    # A value that another type would read otherwise: the code has to be of this type.
    assert double(np.full(3, 1, dtype=kind)) == 6, kind
print(sum(double.stats.cache_hits.values()), sum(double.stats.cache_misses.values()))
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    path = tmp_path / "loop.py"
    path.write_text(LOOP)
    return path


def start(module: Path, cache: Path, *kinds: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    return subprocess.Popen(
        [sys.executable, str(module), *kinds],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ran(module: Path, cache: Path, *kinds: str) -> tuple[int, int, str]:
    """Return how many loops were loaded, how many compiled, and what was said aloud."""
    process = start(module, cache, *kinds)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    hits, misses = out.split()
    return int(hits), int(misses), err


def kept(cache: Path) -> list[Path]:
    return sorted(path for path in cache.rglob("*") if path.is_file())


def test_a_second_process_loads_what_the_first_has_compiled(module: Path, tmp_path: Path) -> None:
    assert ran(module, tmp_path / "cache", "f4")[:2] == (0, 1)
    assert ran(module, tmp_path / "cache", "f4")[:2] == (1, 0)


def test_processes_that_compile_different_types_at_once_leave_each_its_own_code(module: Path, tmp_path: Path) -> None:
    kinds = ("f4", "f8", "i4", "i8")
    processes = [start(module, tmp_path / "cache", kind) for kind in kinds]
    for process in processes:
        assert process.communicate(timeout=900)[0].split() == ["0", "1"]
        assert process.returncode == 0
    assert ran(module, tmp_path / "cache", *kinds)[:2] == (4, 0), "nothing of what one has kept is lost to another"
    assert len(kept(tmp_path / "cache")) == 4


@pytest.mark.parametrize("damage", ["cut", "flipped", "another's"])
def test_a_damaged_file_is_compiled_again_and_replaced(module: Path, tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    ran(module, cache, "f4", "i8")
    first, second = kept(cache)
    content = first.read_bytes()
    middle = len(content) // 2
    first.write_bytes(
        {
            "cut": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "another's": second.read_bytes(),
        }[damage]
    )
    assert ran(module, cache, "f4", "i8")[:2] == (1, 1)
    assert ran(module, cache, "f4", "i8")[:2] == (2, 0)


def test_a_source_that_changed_is_compiled_again(module: Path, tmp_path: Path) -> None:
    ran(module, tmp_path / "cache", "f4")
    module.write_text(LOOP.replace("total + total", "2 * total"))
    assert ran(module, tmp_path / "cache", "f4")[:2] == (0, 1)


def test_a_directory_that_cannot_be_written_any_more_is_said_once_and_stops_nothing(
    module: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    module.write_text(LOOP.replace("for kind in", f"import shutil; shutil.rmtree({str(cache)!r})\nfor kind in", 1))
    broken = module.read_text().replace("for kind in", f"open({str(cache)!r}, 'w').close()\nfor kind in", 1)
    module.write_text(broken)
    hits, misses, said = ran(module, cache, "f4", "i8")
    assert (hits, misses) == (0, 2)
    assert said.count("compiled loops cannot be kept") == 1
    assert "NUMBA_CACHE_DIR" in said


def test_without_any_directory_each_process_compiles(module: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = start(module, tmp_path / "file" / "below", "f4")
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    assert out.split() == ["0", "1"] or out.split() == ["0", "0"]

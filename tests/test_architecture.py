"""The pure core computes: it knows neither Kafka nor metrics nor files nor a clock, and only itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "stream"

CORE = (
    *(
        "adaptation",
        "compiler",
        "encoding",
        "evaluation",
        "learner",
        "network",
        "records",
        "schema",
        "scoring",
        "state",
    ),
    *("errors", "report", "publish/snapshot"),
)
# The declarations of settings, without the reading and writing of them.
CORE_SETTINGS = ("settings/__init__", "settings/fields", "settings/convert", "settings/secrets", "settings/learner")

# Whatever is not here is refused, so that each new thing that the core leans on is a decision. None of these reads a
# clock, a file, a socket or the environment.
ALLOWED = {
    *("__future__", "abc", "array", "bisect", "collections", "contextlib", "copy", "dataclasses", "difflib", "enum"),
    *("functools", "hashlib", "heapq", "itertools", "json", "math", "numbers", "operator", "re", "string", "struct"),
    *("types", "typing", "warnings", "weakref", "numba", "numpy", "orjson", "safetensors", "torch", "xxhash"),
    "tomllib",  # parses a text; the file is read in settings/load
}
# Single exceptions: (module, what it imports, why).
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("compiler/kept", "pickle"): "numba's own form of compiled code; numba reads and writes the files",
    ("adaptation/strategy", "importlib"): "loads what builds a method from the folder that the catalogue names",
}
# Built-in names and attributes by which code without any import could reach the outside or a clock.
FORBIDDEN_NAMES = {"open", "input", "print", "exec", "eval", "__import__"}
FORBIDDEN_ATTRIBUTES = {
    *("now", "utcnow", "today", "read_text", "write_text", "read_bytes", "write_bytes", "fromfile", "tofile"),
    *("manual_seed", "memmap", "save_file", "load_file"),
}


def core_files() -> Iterator[Path]:
    for room in CORE:
        path = PACKAGE / room
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    yield from (PACKAGE / f"{name}.py" for name in CORE_SETTINGS)


def modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def belongs_to_core(module: str) -> bool:
    below = module.removeprefix("stream.").replace(".", "/")
    return any(f"{below}/".startswith(f"{room}/") for room in CORE) or any(
        f"{below}/".startswith(f"{name.removesuffix('/__init__')}/") for name in CORE_SETTINGS[1:]
    )


def complaints(tree: ast.AST, name: str) -> Iterator[str]:
    settings = {f"stream.settings.{public}" for public in ("Section", "WrongSetting", "section", "setting")}
    for module in modules(tree):
        if module.startswith("stream."):
            if module not in settings and not belongs_to_core(module):
                yield f"imports {module}, which is not of the core"
        elif module.split(".")[0] not in ALLOWED and not any(
            name == where and f"{module}.".startswith(f"{what}.") for where, what in EXCEPTIONS
        ):
            yield f"imports {module}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in FORBIDDEN_NAMES:
            yield f"uses {node.id} in line {node.lineno}"
        if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_ATTRIBUTES:
            yield f"uses .{node.attr} in line {node.lineno}"


@pytest.mark.parametrize("path", list(core_files()), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_imports_and_calls_nothing_that_reaches_outside(path: Path) -> None:
    name = str(path.relative_to(PACKAGE).with_suffix(""))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert list(complaints(tree, name)) == []


@pytest.mark.parametrize(
    "code",
    [
        "import time",
        "from time import monotonic",
        "import kafka",
        "from prometheus_client import Counter",
        "import os.path",
        "import importlib.metadata",
        "from pathlib import Path",
        "from datetime import datetime",
        "from stream.log import Record",
        "from stream.settings.load import load",
        "from stream.settings.root import Settings",
        "import stream.service",
        "def f():\n    import socket",
        "open('x')",
        "x.now()",
    ],
)
def test_the_scan_finds_what_the_core_may_not_do(code: str) -> None:
    assert list(complaints(ast.parse(code), "learner"))


def test_importing_the_core_brings_in_neither_kafka_nor_metrics_nor_a_terminal() -> None:
    rooms = ", ".join(f"stream.{room}".replace("/", ".") for room in CORE)
    outside = {"kafka", "prometheus_client", "rich", "matplotlib", "jgo", "stream.log", "stream.service", "stream.cli"}
    code = f"import sys, {rooms}; print({outside} & sys.modules.keys())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_nothing_but_the_command_line_imports_it() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.parent != PACKAGE / "cli" and PACKAGE / "cli" not in path.parents and path.name != "__main__.py":
            found = [
                module
                for module in modules(ast.parse(path.read_text(encoding="utf-8")))
                if f"{module}.".startswith("stream.cli.")
            ]
            assert not found, f"{path} imports {found}"


def test_nothing_that_runs_imports_what_is_there_for_tests() -> None:
    for path in PACKAGE.rglob("*.py"):
        if PACKAGE / "testing" not in path.parents:
            found = [
                module for module in modules(ast.parse(path.read_text(encoding="utf-8"))) if "stream.testing" in module
            ]
            assert not found, f"{path} imports {found}"


def test_every_exception_is_still_needed() -> None:
    for where, what in EXCEPTIONS:
        tree = ast.parse((PACKAGE / f"{where}.py").read_text(encoding="utf-8"))
        assert any(f"{module}.".startswith(f"{what}.") for module in modules(tree))


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that reach each other by their imports (Tarjan 1972)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in sorted(imports[module]):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == order[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in imports:
        if module not in order:
            visit(module)
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions, and those for types alone, count as well."""
    named = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in PACKAGE.rglob("*.py")
    }
    named.pop("stream")  # its names are those of other modules, handed on when they are asked for
    imports = {}
    for name, path in named.items():
        wanted = set(modules(ast.parse(path.read_text(encoding="utf-8"))))
        # `from a.b import c` is an import of the module a.b.c if there is one, else of a.b.
        imports[name] = {one if one in named else one.rpartition(".")[0] for one in wanted} & named.keys() - {name}
    assert circles(imports) == []


def test_the_search_for_circles_finds_one() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]


def rows() -> list[tuple[str, list[str]]]:
    """Return the rows of the picture in docs/design.md, the highest first: a label, and the rooms in it."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    picture = page.partition("<!-- rows -->")[2].split("```")[1]
    split = [line.split("  ", 1) for line in picture.strip().splitlines()]
    return [(label, rooms.split()) for label, rooms in split]


# What may look up, and why.
UPWARD = {
    ("adaptation/mlet/convert", "learner"): "turns one whole learner into another",
}
# They belong to no row: settings are declared in every room and gathered in one, these two hold files alone.
BESIDE = {"settings", "shipped", "forms", "__init__", "__main__"}


def test_every_room_is_in_the_picture() -> None:
    drawn = [room for _, rooms in rows() for room in rooms]
    there = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) == there - BESIDE


def test_a_room_imports_from_its_row_and_below() -> None:
    height = {room: -number for number, (_, rooms) in enumerate(rows()) for room in rooms}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).with_suffix("")
        if name.parts[0] in BESIDE or name.name == "settings":
            continue
        for module in modules(ast.parse(path.read_text(encoding="utf-8"))):
            room = module.removeprefix("stream.").split(".")[0]
            upward = module.startswith("stream.") and height.get(room, 0) > height[name.parts[0]] and room in height
            if upward and not module.partition(f"{room}.")[2].startswith("settings"):
                found.add((name.as_posix(), room))
    assert found == set(UPWARD)

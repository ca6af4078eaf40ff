"""A method is a folder and a line of the catalogue; whatever else knows of methods asks the catalogue."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import stream.adaptation
from stream.adaptation import METHODS
from stream.adaptation.catalogue import FOLDERS, folder_of, parse_strategy
from stream.errors import ConfigurationError
from stream.service.learner_settings import from_plain, require_same_model, to_plain
from stream.settings import WrongSetting
from stream.settings.learner import LearnerSettings

ROOM = Path(stream.adaptation.__file__).parent


def test_each_folder_has_its_settings_and_is_built_by_its_method_module() -> None:
    folders = {path.parent.name for path in ROOM.glob("*/__init__.py")}
    assert folders == {kind.__module__.split(".")[-2] for kind in FOLDERS}
    for name in METHODS:
        assert (ROOM / folder_of(name).__module__.split(".")[-2] / "method.py").exists()


def test_no_other_room_names_a_method_but_for_its_default_and_what_people_read() -> None:
    names = "|".join(name for name in METHODS if name not in ("carry", "replace", "scratch", "never"))
    quoted = re.compile(f"[\"'+]({names})[\"'+]")
    found = [
        f"{path.relative_to(ROOM.parent)}: {match[0]}"
        for path in ROOM.parent.rglob("*.py")
        if ROOM not in path.parents and "bench" not in path.parts
        for match in quoted.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("pair", ["bayes-network+mlet", "mlet+bayes-network", "scratch+iak", "iak+bayes-network"])
def test_a_refused_pair_is_refused_in_either_order_with_the_reason(pair: str) -> None:
    with pytest.raises(ConfigurationError, match=r"do not go together: \w"):
        parse_strategy(pair)


def test_a_method_checks_the_settings_that_it_needs() -> None:
    with pytest.raises(WrongSetting) as found:
        LearnerSettings(strategy="peterrec-parallel", network=LearnerSettings().network.__class__(hidden=(8,)))
    assert found.value.key == "network.hidden"


@pytest.mark.parametrize(
    ("strategy", "key", "value"),
    [
        ("iak", "iak.width", 2),
        ("iak", "iak.inner", 3),
        ("mlet", "mlet.inner", 5),
        ("peterrec-serial", "peterrec.bottleneck", 3),
        ("peterrec-serial", "peterrec.patches", 1),
        ("peterrec-serial", "peterrec.after_warmup", "fold"),
    ],
)
def test_what_shapes_a_methods_weights_stays_as_it_was(strategy: str, key: str, value: object) -> None:
    kept = to_plain(LearnerSettings(strategy=strategy))
    require_same_model(kept, from_plain(kept))
    with pytest.raises(ConfigurationError, match=rf"{key} = .* \(it was "):
        require_same_model(kept, from_plain({**kept, key: value}))

"""A section checks itself, whoever builds it."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass
from typing import ClassVar, Literal

import pytest

from stream.errors import ConfigurationError
from stream.settings import Section, WrongSetting, setting


@dataclass(frozen=True)
class Oven(Section):
    """An oven, as one may be set."""

    prefix: ClassVar[str] = "kitchen.oven"
    trays: int = setting(2, "How many trays.", minimum=1, maximum=4)
    door_seconds: float = setting(1.5, "How long the door stays open.", above=0, below=10)
    widths: tuple[int, ...] = setting((30, 40), "How wide each tray is.", minimum=10)
    heat: Literal["top", "both"] = setting("top", "Where the heat comes from.")
    label: str | None = setting(None, "What is written on it.")
    extras: Mapping[str, object] = setting({}, "Whatever else.")
    fan: bool = setting(False, "Move the air.")
    fuel: str = setting("gas", "What it burns.", choices=("gas", "wood"))

    def check(self) -> None:
        if self.fan and self.fuel == "wood":
            raise self.wrong("fan", "does not go with wood", "Set fuel to gas.")


def test_an_integer_may_stand_for_a_float_and_a_list_for_a_tuple() -> None:
    oven = Oven(door_seconds=2, widths=[20])  # type: ignore[arg-type]
    assert isinstance(oven.door_seconds, float)
    assert oven.widths == (20,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"trays": 0}, "kitchen.oven.trays = 0 is too small. Use a number at least 1, at most 4."),
        ({"trays": 5}, "kitchen.oven.trays = 5 is too large. Use a number at least 1, at most 4."),
        ({"door_seconds": 0.0}, "kitchen.oven.door_seconds = 0.0 is too small. Use a number above 0, below 10."),
        ({"door_seconds": 10.0}, "kitchen.oven.door_seconds = 10.0 is too large. Use a number above 0, below 10."),
        (
            {"door_seconds": float("nan")},
            "kitchen.oven.door_seconds = nan is not a finite number. Use a number, above 0, below 10.",
        ),
        ({"widths": (30, 5)}, "kitchen.oven.widths = (30, 5) is too small. Use a number at least 10."),
        ({"trays": 2.0}, "kitchen.oven.trays = 2.0 is not a whole number. Write digits only, without quotes."),
        ({"trays": True}, "kitchen.oven.trays = True is not a whole number. Write digits only, without quotes."),
        ({"fan": 1}, "kitchen.oven.fan = 1 is not true or false. Write true or false, without quotes."),
        ({"widths": 3}, 'kitchen.oven.widths = 3 is not a list. Write a list, as in ["one", "two"].'),
        ({"heat": "left"}, "kitchen.oven.heat = 'left' is not one of the choices. Choose one of: top, both."),
        ({"fuel": "oil"}, "kitchen.oven.fuel = 'oil' is not one of the choices. Choose one of: gas, wood."),
        ({"label": 3}, "kitchen.oven.label = 3 is not a text. Put it in quotes."),
        (
            {"extras": 3},
            "kitchen.oven.extras = 3 is not a table. Write it as a table of its own, a name and a value a line.",
        ),
        ({"fan": True, "fuel": "wood"}, "kitchen.oven.fan = True does not go with wood. Set fuel to gas."),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_what_is_wrong_and_what_to_do(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(WrongSetting) as caught:
        Oven(**values)  # type: ignore[arg-type]
    assert str(caught.value) == message
    assert caught.value.key == message.partition(" ")[0]
    assert isinstance(caught.value, ConfigurationError)


def test_the_value_of_a_secret_is_not_in_the_error_about_it() -> None:
    @dataclass(frozen=True)
    class Safe(Section):
        prefix: ClassVar[str] = "safe"
        password: str = setting("", "What opens it.")

    with pytest.raises(WrongSetting) as caught:
        Safe(password=1234)  # type: ignore[arg-type]
    assert str(caught.value) == "safe.password = ******** is not a text. Put it in quotes."


def test_settings_cannot_be_changed_once_they_are_checked() -> None:
    with pytest.raises(FrozenInstanceError):
        Oven().trays = 0  # type: ignore[misc]


def test_two_sections_do_not_share_a_table() -> None:
    given = {"light": True}
    oven = Oven(extras=given)
    given["light"] = False
    assert oven.extras == {"light": True}
    assert Oven().extras is not Oven().extras

"""What is written can be read back, and what is secret is never written."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from stream.evaluation.settings import EvaluationSettings
from stream.log.settings import KafkaSettings
from stream.settings import Section
from stream.settings.catalogue import entries, sections
from stream.settings.load import load
from stream.settings.root import Settings
from stream.settings.show import commented_toml, effective_toml, masked

ENTRIES = list(entries(Settings))
TEXTS = st.text(st.characters(codec="utf-8"))


def read_back(text: str, path: Path) -> Settings:
    path.write_text(text, encoding="utf-8", newline="")
    return load(Settings, path)


def test_loading_the_commented_file_gives_the_defaults_back(tmp_path: Path) -> None:
    assert read_back(commented_toml(Settings), tmp_path / "stream.toml") == Settings()


def test_the_commented_file_explains_every_setting() -> None:
    text = commented_toml(Settings)
    comments = re.sub(r"\n# ", " ", text)
    for entry in ENTRIES:
        assert f"{entry.about.help.rstrip('.')[1:]}." in comments
        assert f"Environment: {entry.environment}{'__<OPTION>' if entry.free_table else ''}.\n" in comments
        table = tomllib.loads(text)
        for name in entry.key.split("."):
            table = table[name]


def test_a_line_of_the_commented_file_holds_a_setting_or_a_comment_of_bounded_width() -> None:
    for line in commented_toml(Settings).splitlines():
        assert re.fullmatch(r"|\[[a-z_.]+\]|# .{1,100}|[a-z_]+ = .+", line), line


def test_units_choices_and_bounds_are_told() -> None:
    text = commented_toml(Settings)
    assert "Unit: seconds." in text
    assert "One of: cpu, cuda." in text
    assert "Allowed: at least 1, at most 65536." in text.replace("\n# ", " ")


@examples(max_examples=25, deadline=None)
@given(attribute=TEXTS, option=TEXTS, key=TEXTS.filter(lambda key: "pass" not in key.lower()))
def test_any_text_survives_being_written_and_read(
    tmp_path_factory: pytest.TempPathFactory, attribute: str, option: str, key: str
) -> None:
    settings = Settings(
        evaluation=EvaluationSettings(attribute=attribute),
        kafka=KafkaSettings(options={f"x{key}": option, "n": 3, "f": 0.5, "b": True, "l": [1, 2], "t": {"u v": "w"}}),
    )
    path = tmp_path_factory.getbasetemp() / "any.toml"
    assert read_back(effective_toml(settings), path) == settings


@pytest.mark.parametrize(
    "option",
    [
        "sasl_plain_password",
        "ssl_password",
        "SSL_KEY_PASSWORD",
        "ssl.keystore.password",
        "sasl_jaas_config",
        "sasl_oauth_token",
        "client_secret",
        "aws_secret_access_key",
        "credentials",
        "passphrase",
        "private_key",
    ],
)
def test_an_option_named_like_a_secret_is_masked_wherever_settings_are_shown(option: str) -> None:
    settings = Settings(
        kafka=KafkaSettings(options={option: "hunter2", "inner": {option: "hunter2"}, "client_id": "me"})
    )
    for text in (effective_toml(settings), json.dumps(masked(settings))):
        assert "hunter2" not in text
        assert text.count("********") == 2
        assert '"me"' in text


@pytest.mark.parametrize("option", ["ssl_keyfile", "ssl_cafile", "sasl_mechanism", "sasl_plain_username", "compass"])
def test_an_option_that_is_no_secret_is_shown(option: str) -> None:
    assert "hunter2" in effective_toml(Settings(kafka=KafkaSettings(options={option: "hunter2"})))


def test_a_secret_that_was_never_set_is_seen_to_be_empty() -> None:
    assert 'ssl_password = ""' in effective_toml(Settings(kafka=KafkaSettings(options={"ssl_password": ""})))


def test_masked_settings_are_json_and_name_every_setting() -> None:
    shown = json.loads(json.dumps(masked(Settings())))
    for entry in ENTRIES:
        value = shown
        for name in entry.key.split("."):
            value = value[name]


def test_every_setting_has_a_sentence_and_a_variable_of_its_own() -> None:
    assert all(len(entry.about.help.split()) >= 3 for entry in ENTRIES)
    assert len({entry.environment for entry in ENTRIES}) == len(ENTRIES)
    assert all(re.fullmatch(r"[a-z]+(_[a-z0-9]+)*(\.[a-z]+(_[a-z0-9]+)*)*", entry.key) for entry in ENTRIES)


def test_every_section_knows_its_place() -> None:
    for name, kind in sections(Settings):
        if issubclass(kind, Section):
            assert kind.prefix == name

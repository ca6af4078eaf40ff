"""Four layers, each over the one before; and whatever cannot be meant is said, with where it came from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from stream.adaptation import METHODS
from stream.errors import ConfigurationError
from stream.settings import WrongSetting
from stream.settings.load import build, load
from stream.settings.root import Settings


def loaded(
    tmp_path: Path, toml: str = "", environment: Mapping[str, str] | None = None, assignments: Sequence[str] = ()
) -> Settings:
    path = tmp_path / "stream.toml"
    path.write_text(toml, encoding="utf-8")
    return load(Settings, path, environment, assignments)


def test_nothing_set_gives_the_defaults() -> None:
    assert load(Settings) == Settings()


def test_each_layer_overrides_the_one_before(tmp_path: Path) -> None:
    toml = "seed = 1\nbatch_size = 11\nidle_seconds = 1\n[checkpoint]\nkeep = 1\n"
    environment = {"STREAM_SEED": "2", "STREAM_BATCH_SIZE": "22", "STREAM_CHECKPOINT__KEEP": "2", "PATH": "/bin"}
    settings = loaded(tmp_path, toml, environment, ["seed=3"])
    assert (settings.seed, settings.batch_size, settings.idle_seconds) == (3, 22, 1.0)
    assert settings.checkpoint.keep == 2
    assert settings.checkpoint.every_events == Settings().checkpoint.every_events


def test_of_two_assignments_to_a_key_the_last_one_holds(tmp_path: Path) -> None:
    assert loaded(tmp_path, assignments=["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("Yes", True), ("1", True), ("on", True), ("false", False), ("0", False)]
)
def test_truth_values_read_as_people_write_them(tmp_path: Path, text: str, expected: bool) -> None:
    assert loaded(tmp_path, environment={"STREAM_ALIGN": text}).align is expected


@pytest.mark.parametrize("text", ["a:1,b:2", " a:1 , b:2 ", '["a:1", "b:2"]'])
def test_a_list_is_written_with_commas_or_as_a_toml_array(tmp_path: Path, text: str) -> None:
    servers = loaded(tmp_path, assignments=[f"kafka.bootstrap_servers={text}"]).kafka.bootstrap_servers
    assert servers == ("a:1", "b:2")


def test_an_assignment_may_hold_equals_signs_and_may_be_empty(tmp_path: Path) -> None:
    assert loaded(tmp_path, assignments=["evaluation.attribute=a=b"]).evaluation.attribute == "a=b"
    assert loaded(tmp_path, assignments=["evaluation.attribute="]).evaluation.attribute == ""


def test_options_of_kafka_come_together_from_all_layers(tmp_path: Path) -> None:
    toml = '[kafka.options]\nsecurity_protocol = "SASL_SSL"\nretry_backoff_ms = 100\n'
    environment = {
        "STREAM_KAFKA__OPTIONS__SASL_PLAIN_PASSWORD": "0123",
        "STREAM_KAFKA__OPTIONS__SSL_CHECK_HOSTNAME": "false",
    }
    assignments = ["kafka.options.retry_backoff_ms=250", 'kafka.options.sasl_plain_username="42"']
    assert loaded(tmp_path, toml, environment, assignments).kafka.options == {
        "security_protocol": "SASL_SSL",
        "retry_backoff_ms": 250,
        "sasl_plain_password": "0123",  # a secret stays the text that it is, though it looks like a number
        "ssl_check_hostname": False,
        "sasl_plain_username": "42",
    }


@pytest.mark.parametrize(
    ("toml", "environment", "assignments", "message"),
    [
        ("sede = 1", {}, [], "sede (from the file {path}) is not a setting. Did you mean seed?"),
        (
            "[checkpiont]\nkeep = 1",
            {},
            [],
            "checkpiont (from the file {path}) is not a setting. Did you mean checkpoint?",
        ),
        ("keep = 1", {}, [], "keep (from the file {path}) is not a setting. Did you mean checkpoint.keep?"),
        (
            "",
            {"STREAM_CHECKPOINT_KEEP": "1"},
            [],
            "STREAM_CHECKPOINT_KEEP (from the environment) is not a setting. Did you mean STREAM_CHECKPOINT__KEEP?",
        ),
        ("", {}, ["checkpoint.kep=1"], "checkpoint.kep (from --set) is not a setting. Did you mean checkpoint.keep?"),
        ("", {}, ["xyzzy=1"], "xyzzy (from --set) is not a setting. `stream config` lists every setting."),
        ("", {}, ["seed"], "--set seed has no value. Write --set KEY=VALUE, as in --set seed=1."),
        (
            "checkpoint = 3",
            {},
            [],
            "checkpoint is a section, but the file {path} gives it a value. Write [checkpoint] and its keys below.",
        ),
        (
            "[checkpoint]\nkeep = 0",
            {},
            [],
            "checkpoint.keep = 0 is too small. Use a number at least 1. It was set by the file {path}.",
        ),
        (
            "",
            {"STREAM_SEED": "x"},
            [],
            "seed = 'x' is not a whole number. Write digits only, without quotes. It was set by {origin} STREAM_SEED.",
        ),
        (
            "batch_size = 1.5",
            {},
            [],
            "batch_size = 1.5 is not a whole number. Write digits only, without quotes. It was set by the file {path}.",
        ),
        (
            "",
            {},
            ["idle_seconds=inf"],
            "idle_seconds = inf is not a finite number. Use a number, at least 0. It was set by --set idle_seconds.",
        ),
        (
            "",
            {},
            ["strategy=kary"],
            f"strategy = 'kary': 'kary' is unknown. Use one of: {', '.join(METHODS)}. It was set by --set strategy.",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_origin_and_advice(
    tmp_path: Path, toml: str, environment: dict[str, str], assignments: list[str], message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, toml, environment, assignments)
    origin = "the environment variable"
    assert str(caught.value) == message.format(path=tmp_path / "stream.toml", origin=origin)


def test_a_file_that_is_absent_is_refused_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r"none\.toml cannot be read: No such file or directory.*stream config"
    ):
        load(Settings, tmp_path / "none.toml")


def test_a_file_that_is_no_toml_is_refused_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"stream\.toml is not valid TOML: .*line 2"):
        loaded(tmp_path, "seed = 1\nbatch_size\n")


def test_a_file_that_is_not_utf_8_is_refused_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "stream.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigurationError, match=r"is not UTF-8 at byte 8\."):
        load(Settings, path)


def test_variables_that_kubernetes_sets_for_a_service_called_stream_are_no_settings() -> None:
    environment = {
        "STREAM_SERVICE_HOST": "10.0.0.1",
        "STREAM_SERVICE_PORT": "9464",
        "STREAM_SERVICE_PORT_METRICS": "9464",
        "STREAM_PORT": "tcp://10.0.0.1:9464",
        "STREAM_PORT_9464_TCP": "tcp://10.0.0.1:9464",
        "STREAM_PORT_9464_TCP_ADDR": "10.0.0.1",
        "STREAM_METRICS_SERVICE_HOST": "10.0.0.2",
    }
    assert load(Settings, environment=environment) == Settings()


@pytest.mark.parametrize("start", ["latest", "2026-01-31T06:00:00+00:00", "2026-01-31T06:00:00Z"])
def test_a_start_is_a_word_or_a_time_with_its_zone(start: str) -> None:
    assert Settings(start=start).start == start


@pytest.mark.parametrize("start", ["now", "2026-01-31T06:00:00", "", "1485690806000"])
def test_a_start_that_means_no_moment_is_refused(start: str) -> None:
    with pytest.raises(WrongSetting, match="is neither a word nor a time"):
        Settings(start=start)


@pytest.mark.parametrize("name", ["", "a b", "é", "a/b"])
def test_a_name_that_cannot_be_part_of_a_transactional_id_is_refused(name: str) -> None:
    with pytest.raises(WrongSetting, match="cannot be part of a transactional id"):
        Settings(name=name)


def test_settings_are_built_from_plain_values_by_key() -> None:
    assert build(Settings, {"seed": 7, "checkpoint.keep": 9}).checkpoint.keep == 9
    with pytest.raises(TypeError, match="sede"):
        build(Settings, {"sede": 7})

"""What keeps us out of a cluster is said in a sentence of its own, by every command, and without a secret in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stream.cli import main
from stream.errors import BrokerUnavailable, ConfigurationError
from stream.log.access import require_access, require_sound_options
from stream.log.connection import Connection
from stream.log.settings import KafkaSettings
from tests.log.secured import PASSWORD, Secured, secured_broker

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    try:
        with secured_broker(tmp_path_factory.mktemp("secured"), {"learner": PASSWORD}) as broker:
            yield broker
    except BrokerUnavailable as error:
        pytest.skip(f"no Apache Kafka: {error}")


PLAIN: dict[str, Any] = {
    "security_protocol": "SASL_PLAINTEXT",
    "sasl_mechanism": "PLAIN",
    "sasl_plain_username": "learner",
    "sasl_plain_password": PASSWORD,
}
SCRAM = {**PLAIN, "security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512"}
TLS: dict[str, Any] = {"security_protocol": "SSL"}
WRONG = "a-wrong-pass-word"

REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a wrong password": (
        {**SCRAM, "sasl_plain_password": WRONG},
        "SASL_SSL",
        "refuses to let us in as learner by SASL SCRAM",
    ),
    "a wrong password, PLAIN": ({**PLAIN, "sasl_plain_password": WRONG}, "SASL_PLAINTEXT", "by SASL PLAIN"),
    "an unknown name": ({**SCRAM, "sasl_plain_username": "nobody"}, "SASL_SSL", "let us in as nobody"),
    "no SASL": ({}, "SASL_PLAINTEXT", "asks for a name and password (SASL: PLAIN, SCRAM-SHA-512)"),
    "no SASL over TLS": (TLS, "SASL_SSL", "asks for a name and password"),
    "SASL that is not asked for": (PLAIN, "PLAINTEXT", "asks for no name and password"),
    "SASL over TLS that is not asked for": (SCRAM, "SSL", "asks for no name and password"),
    "another mechanism": ({**SCRAM, "sasl_mechanism": "SCRAM-SHA-256"}, "SASL_SSL", "but PLAIN, SCRAM-SHA-512"),
    "a wrong authority": ({**TLS, "ssl_cafile": "other"}, "SSL", "not signed by the authority in"),
    "no authority": ({**TLS, "ssl_cafile": None}, "SSL", "name its authority's PEM file as ssl_cafile"),
    "another host name": (TLS, "SSL by address", "its certificate is not for 127.0.0.1"),
    "plain text to TLS": ({}, "SSL", "this listener speaks TLS"),
    "TLS to plain text": (TLS, "PLAINTEXT", "a listener that speaks plain text"),
}


def address(secured: Secured, listener: str) -> str:
    if listener == "PLAINTEXT":
        return secured.plaintext
    protocol, _, by_address = listener.partition(" ")
    found = secured.addresses[protocol]
    return found.replace("localhost", "127.0.0.1") if by_address else found


def with_files(secured: Secured, options: dict[str, Any]) -> dict[str, Any]:
    if not options.get("security_protocol", "").endswith("SSL"):
        return options
    chosen = {None: None, "other": str(secured.other_ca_file), "right": str(secured.ca_file)}
    return {**options, "ssl_cafile": chosen[options.get("ssl_cafile", "right")]}


@pytest.mark.parametrize("what", REFUSALS)
def test_each_refusal_has_its_own_sentence(secured: Secured, what: str) -> None:
    options, listener, sentence = REFUSALS[what]
    settings = KafkaSettings((address(secured, listener),), options=with_files(secured, options))
    with pytest.raises(ConfigurationError) as refused:
        Connection(settings).admin()
    assert sentence in str(refused.value)
    assert settings.bootstrap_servers[0] in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert WRONG not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "listener"), [(SCRAM, "SASL_SSL"), (PLAIN, "SASL_PLAINTEXT"), (TLS, "SSL"), ({}, "PLAINTEXT")]
)
def test_who_may_come_in_does(secured: Secured, options: dict[str, Any], listener: str) -> None:
    settings = KafkaSettings((address(secured, listener),), options=with_files(secured, options))
    assert Connection(settings).source_name().startswith("apache-kafka")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({**TLS, "ssl_cafile": "/no/such.pem"}, "ssl_cafile names /no/such.pem, which cannot be read: No such file"),
        ({**SCRAM, "ssl_certfile": "/no/such.pem"}, "ssl_certfile names /no/such.pem"),
        ({**SCRAM, "sasl_mechanism": "SCRAM"}, "sasl_mechanism is 'SCRAM', which kafka-python does not know"),
        ({"security_protocol": "SASL_SSL"}, "sasl_mechanism is missing"),
        ({"security_protocol": "TLS"}, "security_protocol is 'TLS'; it has to be one of PLAINTEXT, SSL"),
        ({**SCRAM, "sasl_plain_password": None}, "sasl_plain_password is missing: SASL SCRAM-SHA-512 needs it"),
        ({**PLAIN, "sasl_plain_password": 123}, "sasl_plain_password is no text; put it in quotes"),
    ],
)
def test_what_is_wrong_by_itself_is_said_before_anything_is_dialled(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=r"kafka\.options") as refused:
        require_sound_options(options)
    assert sentence in str(refused.value)


def test_a_file_that_is_no_certificate_is_named(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no PEM")
    with pytest.raises(ConfigurationError, match="ssl_cafile cannot be used"):
        require_access([secured.addresses["SSL"]], {**TLS, "ssl_cafile": str(tmp_path / "ca.pem")}, 5.0)


def test_one_broker_of_several_is_enough(secured: Secured) -> None:
    require_access(["127.0.0.1:1", secured.plaintext], {}, 5.0)


def test_nobody_there_is_told_by_what_was_met() -> None:
    with pytest.raises(BrokerUnavailable, match=r"did not answer in time .*connection refused"):
        require_access(["127.0.0.1:1"], {}, 0.5)
    with pytest.raises(BrokerUnavailable, match=r"no address is known for no-such-host\.invalid"):
        require_access(["no-such-host.invalid:9092"], {}, 0.5)


def test_a_command_says_it_in_one_line(secured: Secured, capfd: pytest.CaptureFixture[str]) -> None:
    wrong = {**SCRAM, "ssl_cafile": str(secured.ca_file), "sasl_plain_password": WRONG}
    given = [f"kafka.options.{name}={value}" for name, value in wrong.items()]
    arguments = [argument for assignment in given for argument in ("--set", assignment)]
    assert main(["topics", "--bootstrap-servers", secured.addresses["SASL_SSL"], *arguments]) == 2
    said = capfd.readouterr()
    assert len((said.out + said.err).splitlines()) == 1
    assert "refuses to let us in as learner" in said.err
    assert WRONG not in said.out + said.err


def test_settings_that_were_let_in_are_not_asked_again(secured: Secured) -> None:
    connection = Connection(KafkaSettings((secured.plaintext,)))
    connection.source_name()
    moved = replace(connection, settings=replace(connection.settings, bootstrap_servers=("127.0.0.1:1",)))
    assert not moved._entered, "another address is another cluster"

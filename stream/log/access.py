"""Why a cluster does not let us in: one connection of our own, made before any client's, that says it in a sentence.

kafka-python (3.0.12) wraps a wrong password, an unknown authority and a listener of another kind alike into "unable to
bootstrap", after its whole time-out and many lines of log; often it does not know the reason itself, because the broker
closes the connection in the same moment. So the first question is asked here: TCP, TLS if it is wanted, the SASL
handshake (which also tells what kind of listener this is), and the authentication, by kafka-python's own mechanisms.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from kafka.errors import KafkaError, for_code
from kafka.net.sasl import SASL_MECHANISMS

from stream.errors import BrokerUnavailable, ConfigurationError

__all__ = ["require_access", "require_sound_options"]

_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_FILES: Final = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_crlfile")
_ANSWER_SECONDS: Final = 3.0
"""How long one question waits; a broker that is up answers it in milliseconds."""
_PAUSE_SECONDS: Final = 0.3
_SASL_HANDSHAKE, _SASL_AUTHENTICATE = 17, 36
_NO_ERROR, _UNSUPPORTED_MECHANISM, _ILLEGAL_STATE = 0, 33, 34
_LONGEST_ANSWER: Final = 1 << 20


class _Away(Exception):
    """Nobody answers there, which may pass."""


def require_sound_options(options: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` for what can be seen to be wrong before anything is dialled."""
    protocol = options.get("security_protocol", "PLAINTEXT")
    if protocol not in _PROTOCOLS:
        raise ConfigurationError(
            f"kafka.options.security_protocol is {protocol!r}; it has to be one of {', '.join(_PROTOCOLS)}."
        )
    for name in _FILES:
        if path := options.get(name):
            try:
                Path(path).open("rb").close()
            except OSError as error:
                raise ConfigurationError(
                    f"kafka.options.{name} names {path}, which cannot be read: {error.strerror}. Name a PEM file."
                ) from error
    if protocol.startswith("SASL"):
        mechanism: Any = options.get("sasl_mechanism")
        if mechanism not in SASL_MECHANISMS:
            known = ", ".join(sorted(SASL_MECHANISMS))
            said = "is missing" if mechanism is None else f"is {mechanism!r}, which kafka-python does not know"
            raise ConfigurationError(f"kafka.options.sasl_mechanism {said}; it has to be one of {known}.")
        if mechanism.startswith(("PLAIN", "SCRAM")):
            for name in ("sasl_plain_username", "sasl_plain_password"):
                if not isinstance(options.get(name), str):
                    said = "is missing" if options.get(name) is None else "is no text; put it in quotes"
                    raise ConfigurationError(f"kafka.options.{name} {said}: SASL {mechanism} needs it.")


def require_access(
    servers: Sequence[str],
    options: Mapping[str, Any],
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return once a broker of `servers` lets us in.

    Args:
        servers: HOST:PORT of the brokers asked first.
        options: of kafka-python, sound as far as `require_sound_options` sees.
        seconds: how long nobody may answer.
        clock: monotonic seconds.

    Raises:
        ConfigurationError: a broker answers and does not let us in; the message says why, and holds no secret.
        BrokerUnavailable: none answered in time.
    """
    if options.get("proxy_url") or options.get("socks5_proxy"):
        return  # by a way that only the client knows
    where = f"Kafka at {', '.join(servers)}"
    deadline = clock() + seconds
    while True:
        reasons: list[str] = []
        for server in servers:
            host, port = _split(server)
            left = max(0.1, min(_ANSWER_SECONDS, deadline - clock()))
            try:
                _Probe(server, host, port, options, left).run()
                return
            except _Away as away:
                reasons.append(str(away))
        if clock() + _PAUSE_SECONDS >= deadline:
            said = "; ".join(dict.fromkeys(reasons))
            raise BrokerUnavailable(
                f"{where} did not answer in time ({said}). Is it running, and is the address right?"
            )
        time.sleep(_PAUSE_SECONDS)


def _split(server: str) -> tuple[str, int]:
    address = server.rpartition("://")[2]  # a protocol before it is allowed and means nothing, as in kafka-python
    host, _, port = address.rpartition(":") if address.rpartition(":")[2].isdigit() else (address, "", "9092")
    return host.strip("[]"), int(port)


class _Probe:
    """One connection that is opened, asked and closed."""

    def __init__(self, server: str, host: str, port: int, options: Mapping[str, Any], seconds: float) -> None:
        self._where = f"Kafka at {server}"
        self._host, self._port, self._seconds = host, port, seconds
        self._options = options
        self._protocol: str = options.get("security_protocol", "PLAINTEXT")
        self._requests = 0

    def run(self) -> None:
        """Raise `ConfigurationError` or `_Away`, or return if the broker would serve us."""
        with self._connected() as plain:
            if not self._protocol.endswith("SSL"):
                self._enter(plain)
                return
            with self._secured(plain) as secured:
                self._enter(secured)

    def _connected(self) -> socket.socket:
        try:
            return socket.create_connection((self._host, self._port), timeout=self._seconds)
        except socket.gaierror as error:
            raise _Away(f"no address is known for {self._host}: {error.strerror}") from error
        except OSError as error:
            why = "no connection in time" if isinstance(error, TimeoutError) else str(error.strerror or error).lower()
            raise _Away(f"{self._host}:{self._port}: {why}") from error

    def _secured(self, plain: socket.socket) -> ssl.SSLSocket:
        try:
            return self._context().wrap_socket(plain, server_hostname=self._host.rstrip("."))
        except ssl.SSLCertVerificationError as error:
            raise self._refused(self._certificate(error)) from error
        except ssl.SSLError as error:
            raise self._refused(
                f"no TLS connection comes about ({error.reason or error}), as with a listener that speaks plain text; "
                f"security_protocol is {self._protocol}"
            ) from error
        except TimeoutError as error:
            raise _Away(f"{self._host}:{self._port}: no answer to the TLS handshake in time") from error
        except OSError as error:  # closed in the middle: a plain listener takes our greeting for an enormous request
            raise self._refused(
                "the connection was closed in the TLS handshake, as a listener that speaks plain text does; "
                f"security_protocol is {self._protocol}"
            ) from error

    def _context(self) -> ssl.SSLContext:
        """Return what kafka-python would make of the options."""
        get = self._options.get
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = get("ssl_check_hostname", True)
        name = "ssl_cafile"
        try:
            if get("ssl_cafile"):
                context.load_verify_locations(get("ssl_cafile"))
            else:
                context.load_default_certs()
            if certificate := get("ssl_certfile"):
                name = "ssl_certfile, ssl_keyfile or ssl_password"
                context.load_cert_chain(certificate, get("ssl_keyfile"), get("ssl_password"))
            if get("ssl_crlfile"):
                name = "ssl_crlfile"
                context.load_verify_locations(get("ssl_crlfile"))
                context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        except (ssl.SSLError, OSError) as error:
            raise ConfigurationError(f"kafka.options.{name} cannot be used: {error}. It has to be PEM.") from error
        return context

    def _certificate(self, error: ssl.SSLCertVerificationError) -> str:
        if error.verify_code in (62, 63, 64):  # host name, e-mail and address mismatch of X509_verify_cert_error_string
            return (
                f"its certificate is not for {self._host} ({error.verify_message}). Use a name that the certificate "
                "has in bootstrap_servers, or get another certificate"
            )
        if error.verify_code in (9, 10):
            return f"its certificate is out of date or not valid yet ({error.verify_message}); see both clocks"
        authority = self._options.get("ssl_cafile")
        said = f"the authority in {authority}" if authority else "an authority that this machine trusts"
        advice = "see ssl_cafile" if authority else "name its authority's PEM file as ssl_cafile"
        return f"its certificate is not signed by {said} ({error.verify_message}); {advice}"

    def _enter(self, connection: socket.socket) -> None:
        """Ask what kind of listener this is, and authenticate if that is wanted."""
        wanted = self._protocol.startswith("SASL")
        mechanism = self._options["sasl_mechanism"] if wanted else ""
        code, mechanisms = self._handshake(connection, mechanism)
        if code == _ILLEGAL_STATE:
            if wanted:
                raise self._refused(
                    f"this listener asks for no name and password; security_protocol is {self._protocol}"
                )
            return
        if not wanted:
            raise self._refused(
                f"this listener asks for a name and password (SASL: {', '.join(mechanisms) or 'no mechanism'}); "
                f"security_protocol is {self._protocol}"
            )
        if code == _UNSUPPORTED_MECHANISM or mechanism not in mechanisms:
            raise self._refused(
                f"this listener does not take sasl_mechanism {mechanism}, but {', '.join(mechanisms) or 'none'}"
            )
        if code != _NO_ERROR:
            raise self._refused(f"the SASL handshake failed ({for_code(code).__name__})")
        self._authenticate(connection, mechanism)

    def _handshake(self, connection: socket.socket, mechanism: str) -> tuple[int, list[str]]:
        answer = self._ask(connection, _SASL_HANDSHAKE, 1, _string(mechanism))
        code, count = struct.unpack_from(">hi", answer)
        mechanisms, at = [], 6
        for _ in range(max(0, count)):
            (length,) = struct.unpack_from(">h", answer, at)
            mechanisms.append(answer[at + 2 : at + 2 + length].decode(errors="replace"))
            at += 2 + length
        return code, mechanisms

    def _authenticate(self, connection: socket.socket, mechanism: str) -> None:
        user = self._options.get("sasl_plain_username")
        who = f" as {user}" if user else ""
        try:
            dance = SASL_MECHANISMS[mechanism](host=self._host, **{**self._options, "security_protocol": "SASL_SSL"})
            while not dance.is_done():
                token = dance.auth_bytes()
                answer = self._ask(connection, _SASL_AUTHENTICATE, 0, struct.pack(">i", len(token)) + token)
                (code,) = struct.unpack_from(">h", answer)
                (length,) = struct.unpack_from(">h", answer, 2)
                said = answer[4 : 4 + max(0, length)].decode(errors="replace")
                if code != _NO_ERROR:
                    raise self._refused(
                        f"it refuses to let us in{who} by SASL {mechanism}: {said or for_code(code).__name__}"
                    )
                start = 4 + max(0, length)
                (size,) = struct.unpack_from(">i", answer, start)
                dance.receive(answer[start + 4 : start + 4 + max(0, size)])
        except (KafkaError, ValueError, TypeError, KeyError, ImportError) as error:
            raise self._refused(
                f"SASL {mechanism} does not come about{who} ({type(error).__name__}: {error})"
            ) from error
        if not dance.is_authenticated():
            raise self._refused(f"it refuses to let us in{who} by SASL {mechanism}")

    def _ask(self, connection: socket.socket, key: int, version: int, body: bytes) -> bytes:
        """Send a request with a header of version 1, and return its answer without the correlation id."""
        self._requests += 1
        request = struct.pack(">hhi", key, version, self._requests) + _string("stream") + body
        try:
            connection.sendall(struct.pack(">i", len(request)) + request)
            head = _exactly(connection, 4)
            if head[:2] in (b"\x15\x03", b"\x16\x03"):  # a TLS alert, or a handshake
                raise self._refused(f"this listener speaks TLS; security_protocol is {self._protocol}")
            (length,) = struct.unpack(">i", head)
            if not 4 <= length <= _LONGEST_ANSWER:
                raise self._refused("what answers there is no Kafka")
            return _exactly(connection, length)[4:]
        except TimeoutError as error:
            raise _Away(f"{self._host}:{self._port}: no answer in time") from error
        except ssl.SSLError as error:
            raise self._refused(
                f"the TLS connection was ended ({error.reason or error}); perhaps it wants ssl_certfile"
            ) from error
        except (EOFError, OSError) as error:
            if self._protocol.endswith("PLAINTEXT") and self._speaks_tls():
                raise self._refused(f"this listener speaks TLS; security_protocol is {self._protocol}") from error
            raise _Away(f"{self._host}:{self._port}: the connection was closed at the first question") from error

    def _speaks_tls(self) -> bool:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # nothing is sent over it
        try:
            with self._connected() as plain, context.wrap_socket(plain, server_hostname=self._host):
                return True
        except (_Away, OSError):
            return False

    def _refused(self, why: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where}: {why.rstrip('.?')}. Check kafka.options.")


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">h", len(encoded)) + encoded


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = connection.recv(count - len(received))
        if not part:
            raise EOFError
        received += part
    return received

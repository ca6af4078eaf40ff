"""A real Kafka that asks for TLS, names and passwords, and lets each do what its ACLs say."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from stream.broker import LocalBroker

PASSWORD, ADMIN_PASSWORD = "pass-word-of-the-learner", "pass-word-of-the-admin"
LISTENERS = ("SSL", "SASL_SSL", "SASL_PLAINTEXT")


@dataclass(frozen=True)
class Secured:
    """Addresses by security protocol, and the files that a client needs.

    Attributes:
        plaintext: the address that asks for nothing.
        addresses: by SSL, SASL_SSL and SASL_PLAINTEXT; the certificate is for `localhost`, not for 127.0.0.1.
        ca_file: the authority that signed the broker's certificate, PEM.
        other_ca_file: another authority.
    """

    plaintext: str
    addresses: dict[str, str]
    ca_file: Path
    other_ca_file: Path


@contextmanager
def secured_broker(directory: Path, users: dict[str, str], authorizing: bool = False) -> Iterator[Secured]:
    """Run the broker while the block runs; `users` are names and passwords for PLAIN and SCRAM-SHA-512."""
    authority, other = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("localhost")
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)  # Kafka reads keys in the form PKCS #8 only
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    (directory / "broker.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain)
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    other.cert_pem.write_to_path(str(directory / "other-ca.pem"))
    addresses = {protocol: f"localhost:{_free_port()}" for protocol in LISTENERS}
    listed = ",".join(f"{protocol}://{address}" for protocol, address in addresses.items())
    known = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    properties = {
        "listeners": f"PLAINTEXT://127.0.0.1:{{port}},{listed},CONTROLLER://127.0.0.1:{{controller_port}}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{{port}},{listed}",
        "listener.security.protocol.map": ",".join(
            ["PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT", *(f"{protocol}:{protocol}" for protocol in LISTENERS)]
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(directory / "broker.pem"),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        **{
            f"listener.name.{protocol.lower()}.{mechanism}.sasl.jaas.config": module
            for protocol in ("SASL_SSL", "SASL_PLAINTEXT")
            for mechanism, module in (
                ("plain", f"org.apache.kafka.common.security.plain.PlainLoginModule required {known};"),
                ("scram-sha-512", "org.apache.kafka.common.security.scram.ScramLoginModule required;"),
            )
        },
    }
    if authorizing:
        properties |= {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:admin",
        }
    scram = [f"--add-scram=SCRAM-SHA-512=[name={name},password={password}]" for name, password in users.items()]
    with LocalBroker(properties=properties, format_arguments=["--standalone", *scram]) as broker:
        yield Secured(broker.bootstrap_servers, addresses, directory / "ca.pem", directory / "other-ca.pem")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])

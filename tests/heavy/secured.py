"""Real servers that demand TLS and a password, with certificates of an authority of the test's own."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from kolray.local.cassandra import KEYSPACE, cassandra
from kolray.local.kafka import kafka
from kolray.local.ports import LOOPBACK, accepts, choose_port
from kolray.local.process import RunFolder, wait_until
from kolray.local.servers import Server

USER = "kolray"
KAFKA = """
listeners=PLAINTEXT://{host}:{plain},SASL_SSL://{host}:{secure},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{plain},SASL_SSL://{host}:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
"""
CASSANDRA = """
authenticator: PasswordAuthenticator
client_encryption_options:
  enabled: true
  optional: false
  keystore: {keystore}
  ssl_context_factory: {{class_name: org.apache.cassandra.security.PEMBasedSslContextFactory}}
"""


@dataclass(frozen=True)
class Certificates:
    """PEM files: the authority's certificate, and key with chain of a server on loopback."""

    ca: Path
    keystore: Path
    key: Path
    chain: Path

    @classmethod
    def make(cls, folder: Path) -> Certificates:
        authority = trustme.CA()
        issued = authority.issue_cert(LOOPBACK)
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        # Java reads keys in no other form.
        pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
        files = cls(*(folder / name for name in ("ca.pem", "keystore.pem", "key.pem", "chain.pem")))
        authority.cert_pem.write_to_path(files.ca)
        files.keystore.write_bytes(pkcs8 + chain)
        files.key.write_bytes(pkcs8)
        files.chain.write_bytes(chain)
        return files


@contextmanager
def secured(home: Path, certificates: Certificates) -> Iterator[dict[str, dict[str, Any]]]:
    """Kafka with SASL over TLS, Redis and Cassandra with TLS and passwords; yields the settings that reach them."""
    run = RunFolder(home)
    with ExitStack() as servers:
        yield {
            "kafka": _kafka(home, run, certificates, servers),
            "redis": _redis(home, certificates, servers),
            "metrics": _cassandra(home, run, certificates, servers),
        }


def _start(run: RunFolder, server: Server, servers: ExitStack) -> None:
    running = run.start(server.name, server.command, server.address, server.env, os.getpid())
    servers.callback(run.stop, running)
    wait_until(server.name, running, run.log(server.name), server.answers, server.start_s)


def _kafka(home: Path, run: RunFolder, certificates: Certificates, servers: ExitStack) -> dict[str, Any]:
    server = kafka(home)
    file = home / "kafka" / "server.properties"
    lines = [line for line in file.read_text().splitlines() if "listeners=" not in line]
    [voter] = [line for line in lines if line.startswith("controller.quorum.voters")]
    secure = choose_port("kafka_secure")
    ports = {"plain": server.address.split(":")[1], "secure": secure, "controller": voter.rsplit(":", 1)[1]}
    text = KAFKA.format(host=LOOPBACK, keystore=certificates.keystore, **ports)
    file.write_text("\n".join([*lines, text]))
    _start(run, server, servers)
    password = secrets.token_hex(16)
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    made = UserScramCredentialUpsertion(USER, info, password.encode())
    admin = AdminClient({"bootstrap.servers": server.address})
    for future in admin.alter_user_scram_credentials([made]).values():
        future.result(timeout=30)
    return {
        "bootstrap": f"{LOOPBACK}:{secure}", "transactions": True, "security": "SASL_SSL", "username": USER,
        "password": password, "ca_file": str(certificates.ca),
    }  # fmt: skip


def _redis(home: Path, certificates: Certificates, servers: ExitStack) -> dict[str, Any]:
    """Of Debian's redis-server: the one from a wheel was built without TLS."""
    program, port, password = shutil.which("redis-server"), choose_port("redis"), secrets.token_hex(16)
    if program is None:
        pytest.skip("no redis-server with TLS here (Debian: apt-get install redis-server)")
    command = [
        program, "--bind", LOOPBACK, "--port", "0", "--tls-port", str(port), "--tls-cert-file", str(certificates.chain),
        "--tls-key-file", str(certificates.key), "--tls-ca-cert-file", str(certificates.ca), "--tls-auth-clients", "no",
        "--requirepass", password, "--save", "", "--dir", str(home),
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    servers.callback(psutil.Process(server.pid).kill)
    while not accepts(port):
        if server.poll() is not None:
            pytest.skip(f"{program} was built without TLS")
    return {"url": f"rediss://{LOOPBACK}:{port}/0", "password": password, "ca_file": str(certificates.ca)}


def _cassandra(home: Path, run: RunFolder, certificates: Certificates, servers: ExitStack) -> dict[str, Any]:
    server = cassandra(home)
    file = home / "cassandra" / "cassandra.yaml"
    file.write_text(file.read_text() + CASSANDRA.format(keystore=certificates.keystore))
    _start(run, server, servers)
    return {
        "url": f"cassandra://{server.address}/{KEYSPACE}", "tls": True, "ca_file": str(certificates.ca),
        # Its first user, there until it is replaced.
        "username": "cassandra", "password": "cassandra",
    }  # fmt: skip

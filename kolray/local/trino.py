"""A real Trino, one node, on Java 24 or newer, with one catalog: that of the lake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kolray.errors import ServiceUnavailableError
from kolray.local.jars import ensure_archive, java
from kolray.local.ports import LOOPBACK, accepts, choose_port
from kolray.local.process import RunFolder, wait_until
from kolray.local.servers import Server

NAME = "trino"
VERSION = "476"
COORDINATE = f"io.trino:trino-server:{VERSION}:tar.gz"
MIN_JAVA = 24
CATALOG = "lake"
OWNER = "kolray"
CONFIG_FILE = """coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://{host}:{port}
plugin.dir={plugins}
query.max-memory-per-node=512MB
"""
NODE_FILE = """node.environment=kolray
node.id=kolray
node.data-dir={data}
node.bind-ip={host}
node.internal-address={host}
"""
JVM_FILE = """-Xmx1536m
-XX:+ExitOnOutOfMemoryError
-XX:ReservedCodeCacheSize=256M
-Djdk.attach.allowAttachSelf=true
-Duser.timezone=UTC
--enable-native-access=ALL-UNNAMED
--sun-misc-unsafe-memory-access=allow
"""
RULES = {
    "catalogs": [{"user": OWNER, "allow": "all"}, {"allow": "read-only"}],
    "procedures": [{"user": OWNER, "privileges": ["EXECUTE"]}],
}
"""The lake is written by kolray's own jobs alone."""
LOG_FILE = "io.trino=WARN\nio.airlift=WARN\n"


def start_trino(home: Path, catalog: str, owner_pid: int | None = None) -> str:
    """Starts it, unless it runs in this home with this catalog; returns its address (``host:port``) when it answers.

    Args:
        catalog: the file of its one catalog.
        owner_pid: it ends when this process is gone; none: it runs until ``down``.

    Raises:
        ServiceUnavailableError: Java, Maven or the client is missing, or it did not start.
    """
    folder = RunFolder(home)
    for running in folder.running():
        if running.name == NAME:
            if running.alive() and _catalog_file(home).read_text() == catalog:
                return running.address
            folder.stop(running)
    server = trino(home, catalog)
    running = folder.start(NAME, server.command, server.address, server.env, owner_pid)
    try:
        wait_until("Trino", running, folder.log(NAME), server.answers, server.start_s)
    except BaseException:  # Ctrl-C too leaves nothing behind
        folder.stop(running)
        raise
    return server.address


def stop_trino(home: Path) -> bool:
    """Stops the one of this home; whether there was one."""
    folder = RunFolder(home)
    found = [running for running in folder.running() if running.name == NAME]
    for running in found:
        folder.stop(running)
    return bool(found)


def trino(home: Path, catalog: str) -> Server:
    """Configuration and log under ``<home>/trino``."""
    _client()  # before anything is fetched
    binary, place = java(MIN_JAVA, or_newer=True), ensure_archive(NAME, COORDINATE)
    port = choose_port(NAME)
    folder = (home / NAME).absolute()
    _write_configuration(folder, place, port)
    file = _catalog_file(home)
    file.parent.mkdir(exist_ok=True)
    file.touch(mode=0o600)  # it may hold keys
    file.write_text(catalog)
    return Server(
        name=NAME,
        command=[str(place / "bin" / "launcher"), "run", "--etc-dir", str(folder / "etc")],
        address=f"{LOOPBACK}:{port}",
        settings={},
        answers=lambda: accepts(port) and _answers_queries(f"{LOOPBACK}:{port}"),
        env={"JAVA_HOME": str(Path(binary).parents[1])},
        start_s=180,
    )


def ask(address: str, sql: str, user: str = OWNER) -> list[list[Any]]:
    """The rows of one statement. Only the user ``OWNER`` may change what is there.

    Raises:
        ServiceUnavailableError: Trino's client is not installed.
        trino.exceptions.Error: Trino refuses the statement, or has not started yet.
    """
    host, port = address.rsplit(":", 1)
    with _client().dbapi.connect(host=host, port=int(port), user=user, catalog=CATALOG, timezone="UTC") as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return [list(row) for row in cursor.fetchall()]


def _client() -> Any:
    try:
        import trino.dbapi
    except ImportError as error:
        raise ServiceUnavailableError("Trino", "its client", "install it: pip install 'kolray[trino]'") from error
    return trino


def _catalog_file(home: Path) -> Path:
    return home.absolute() / NAME / "etc" / "catalog" / f"{CATALOG}.properties"


def _answers_queries(address: str) -> bool:
    """It takes connections seconds before it has a node to run a query on."""
    from requests import RequestException

    try:
        return bool(ask(address, f"SELECT schema_name FROM {CATALOG}.information_schema.schemata"))  # noqa: S608
    except (_client().exceptions.Error, RequestException):
        return False


def _write_configuration(folder: Path, place: Path, port: int) -> None:
    """Writes ``etc``, and a folder of plugins with the one that is needed: with all of them it starts slowly."""
    files = {
        "config.properties": CONFIG_FILE.format(host=LOOPBACK, port=port, plugins=folder / "plugins"),
        "node.properties": NODE_FILE.format(host=LOOPBACK, data=folder / "data"),
        "jvm.config": JVM_FILE,
        "log.properties": LOG_FILE,
        "access-control.properties": f"access-control.name=file\nsecurity.config-file={folder}/etc/rules.json\n",
        "rules.json": json.dumps(RULES),
    }
    for name, text in files.items():
        (folder / "etc").mkdir(parents=True, exist_ok=True)
        (folder / "etc" / name).write_text(text)
    plugin = folder / "plugins" / "delta-lake"
    plugin.parent.mkdir(exist_ok=True)
    plugin.unlink(missing_ok=True)
    plugin.symlink_to(place / "plugin" / "delta-lake")

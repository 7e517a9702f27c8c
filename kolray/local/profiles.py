"""``up``, ``down`` and ``status`` of a profile."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolray.errors import KolrayError, SettingsError
from kolray.local import servers
from kolray.local.cassandra import cassandra
from kolray.local.exporter import NAME as EXPORTER
from kolray.local.kafka import kafka
from kolray.local.ports import accepts
from kolray.local.process import RunFolder, wait_until
from kolray.local.servers import Server
from kolray.local.trino import NAME as TRINO

PROFILES: dict[str, tuple[Callable[[Path], Server], ...]] = {
    "embedded": (servers.tansu, servers.redis),
    "local": (kafka, cassandra, servers.redis),
}
KEPT = (TRINO,)
"""Servers that need no other: a profile that is started again leaves them alone."""
ASIDE = (*KEPT, EXPORTER)
"""Servers that belong to no profile: they are started by themselves."""
SERVICES_FILE = "services.toml"


@dataclass(frozen=True)
class ServiceStatus:
    """One server of a home folder."""

    name: str
    address: str
    pid: int
    running: bool


def up(profile: str, home: Path, owner_pid: int | None = None) -> None:
    """Starts what is not running yet and waits until every server answers; writes ``<home>/services.toml``.

    Args:
        owner_pid: the servers end when this process is gone; none: they run until ``down``.

    Raises:
        SettingsError: no such profile, or another one runs in this home.
        ServiceUnavailableError: a server did not start; those started before it are stopped again.
    """
    if profile not in PROFILES:
        raise SettingsError(f"profile {profile!r} starts no servers here; use {' or '.join(PROFILES)}")
    current = [service for service in status(home) if service.name not in ASIDE]
    if current and all(service.running for service in current):
        if read_profile(home) != profile:
            raise SettingsError(f"profile {read_profile(home)} runs in {home}; stop it with `kolray down` first")
        return
    down(home, keep=KEPT)
    home.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {"profile": profile}
    try:
        for make in PROFILES[profile]:
            server = make(home)
            _start(server, home, owner_pid)
            settings |= server.settings
    except BaseException:  # Ctrl-C too leaves nothing behind
        down(home, keep=KEPT)
        raise
    (home / SERVICES_FILE).write_text(_toml(settings))


def _start(server: Server, home: Path, owner_pid: int | None) -> None:
    folder = RunFolder(home)
    running = folder.start(server.name, server.command, server.address, server.env, owner_pid)
    wait_until(server.name, running, folder.log(server.name), server.answers, server.start_s)


@contextmanager
def own_servers(makes: Collection[Callable[[Path], Server]], home: Path) -> Iterator[None]:
    """Servers by themselves, as long as this lasts and this process lives; ``services.toml`` says where they are.

    Raises:
        ServiceUnavailableError: one did not start.
    """
    home.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {"profile": "cluster"}
    try:
        for make in makes:
            server = make(home)
            _start(server, home, os.getpid())
            settings |= server.settings
        (home / SERVICES_FILE).write_text(_toml(settings))
        yield
    finally:
        down(home)


def one_server(make: Callable[[Path], Server], home: Path) -> AbstractContextManager[None]:
    """One of ``own_servers``."""
    return own_servers((make,), home)


def start_again(name: str, home: Path, owner_pid: int | None = None) -> None:
    """Starts a server of this home that ended by itself: same address, same data folder. Returns when it answers.

    Raises:
        ServiceUnavailableError: it did not start.
    """
    folder = RunFolder(home)
    [was] = [running for running in folder.running() if running.name == name]
    if was.alive():
        return
    running = folder.start(name, was.command, was.address, was.env, owner_pid)
    port = int(was.address.rsplit(":", 1)[1])
    wait_until(name, running, folder.log(name), lambda: accepts(port), limit_s=120)


def down(home: Path, keep: Collection[str] = ()) -> list[str]:
    """Stops exactly the servers recorded in this home, but those to keep; returns their names."""
    folder = RunFolder(home)
    names = []
    for running in reversed(folder.running()):
        if running.name not in keep:
            folder.stop(running)
            names.append(running.name)
    (home / SERVICES_FILE).unlink(missing_ok=True)
    return names


def status(home: Path) -> list[ServiceStatus]:
    """Every server recorded in this home."""
    return [ServiceStatus(r.name, r.address, r.pid, r.alive()) for r in RunFolder(home).running()]


def read_profile(home: Path) -> str | None:
    """The profile ``up`` wrote into this home."""
    import tomllib

    file = home / SERVICES_FILE
    if not file.is_file():
        return None
    try:
        return str(tomllib.loads(file.read_text())["profile"])
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise KolrayError(f"{file} is damaged; remove it and run `kolray up` again") from error


def _toml(settings: dict[str, Any]) -> str:
    lines = [f"{key} = {_value(value)}" for key, value in settings.items() if not isinstance(value, dict)]
    for part, values in settings.items():
        if isinstance(values, dict):
            lines += ["", f"[{part}]", *(f"{key} = {_value(value)}" for key, value in values.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else '"' + str(value).replace("\\", "\\\\") + '"'

"""Servers of a home folder: started once, stopped exactly, never outliving a killed owner."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kolray import local
from kolray.errors import SettingsError
from kolray.local.ports import LOOPBACK
from kolray.settings import ObserveSettings, Settings
from tests.listening import beyond_loopback, listeners
from tests.waiting import until

OWNER = """
import os, sys, time
from pathlib import Path
from kolray import local
local.up("embedded", Path(sys.argv[1]), owner_pid=os.getpid())
print("up", flush=True)
time.sleep(600)
"""


def _servers(home: Path) -> list[psutil.Process]:
    watchdogs = [psutil.Process(service.pid) for service in local.status(home)]
    return [process for dog in watchdogs for process in (dog, *dog.children(recursive=True))]


def test_two_homes_run_side_by_side_and_up_twice_changes_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    try:
        local.up("embedded", one, os.getpid())
        before = local.status(one)
        local.up("embedded", two, os.getpid())
        local.up("embedded", one, os.getpid())
        assert local.status(one) == before
        addresses = {service.address for home in (one, two) for service in local.status(home)}
        assert len(addresses) == 4
        with pytest.raises(SettingsError, match="kolray down"):
            local.up("local", one)
    finally:
        gone = _servers(one) + _servers(two)
        local.down(one)
        local.down(two)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in gone)
    assert local.down(one) == []


@pytest.mark.local
def test_the_local_profile_listens_on_loopback_alone(local_servers: Settings) -> None:
    for service in local.status(local_servers.home):
        found = listeners(psutil.Process(service.pid))
        assert found, service.name
        assert beyond_loopback(found) == {}


def test_an_exporter_beside_the_servers_is_known_to_status_and_down(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as other:
        observe = ObserveSettings(port=other.getsockname()[1])
        address = local.start_exporter(tmp_path, observe, os.getpid())
    try:
        assert not address.endswith(f":{observe.port}"), "the port is another process'"
        assert local.start_exporter(tmp_path, observe) == local.exporter_address(tmp_path) == address
        assert [(service.name, service.running) for service in local.status(tmp_path)] == [("exporter", True)]
    finally:
        assert local.down(tmp_path) == ["exporter"]
    assert local.exporter_address(tmp_path) is None


def test_servers_end_when_their_owner_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OWNER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        servers = _servers(tmp_path)
        assert len(servers) == 4
        owner.send_signal(signal.SIGKILL)
    until("all servers end", lambda: not any(process.is_running() for process in servers), 20)
    local.down(tmp_path)


def test_a_command_without_its_service_says_which_in_one_line(tmp_path: Path) -> None:
    kolray = Path(sys.executable).parent / "kolray"
    env = os.environ | {"KOLRAY_HOME": str(tmp_path), "KOLRAY_KAFKA__BOOTSTRAP": "127.0.0.1:9"}
    done = subprocess.run([kolray, "init"], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 1
    assert "Kafka does not answer at 127.0.0.1:9" in done.stderr
    assert "kolray up" in done.stderr
    assert "Traceback" not in done.stderr

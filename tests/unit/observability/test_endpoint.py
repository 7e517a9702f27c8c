"""A process's own endpoint, and the file by which Prometheus finds it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from kolray.clock import SystemClock, to_ms
from kolray.observability.endpoint import SILENT_S, Endpoint, announce, forget_dead
from kolray.serving.build import at_close
from tests.prometheus import wait


def test_each_scrape_asks_anew_and_other_paths_are_refused() -> None:
    asked = iter((b"first 1\n", b"second 2\n"))
    endpoint = Endpoint(lambda: next(asked), "127.0.0.1")
    try:
        url = f"http://{endpoint.address}"
        assert [httpx.get(f"{url}/metrics").text for _ in range(2)] == ["first 1\n", "second 2\n"]
        assert httpx.get(f"{url}/etc").status_code == 404
    finally:
        endpoint.close()


def test_a_port_that_is_taken_is_an_error() -> None:
    endpoint = Endpoint(lambda: b"", "127.0.0.1")
    with pytest.raises(OSError, match="in use"):
        Endpoint(lambda: b"", "127.0.0.1", int(endpoint.address.partition(":")[2]))
    endpoint.close()


def test_what_a_machine_that_is_gone_announced_goes_after_a_while(tmp_path: Path) -> None:
    quiet, lately = (tmp_path / f"serving-{host}-4711.json" for host in ("node-2", "node-3"))
    for file, seconds in ((quiet, SILENT_S + 10), (lately, SILENT_S - 60)):
        file.write_text("[]")
        at = to_ms(SystemClock().now()) / 1000 - seconds
        os.utime(file, (at, at))
    assert forget_dead(tmp_path, "serving") == [quiet.name]
    assert list(tmp_path.iterdir()) == [lately]


def test_who_lives_says_so_again_and_clears_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kolray.observability.endpoint.BEAT_S", 0.02)
    mine = announce(tmp_path, "serving", "127.0.0.1:4000").file
    quiet = tmp_path / "serving-node-2-4711.json"
    quiet.write_text("[]")
    os.utime(quiet, (0, 0))
    os.utime(mine, (0, 0))
    wait(lambda: not quiet.exists() and mine.stat().st_mtime > 0, 20)
    mine.unlink()
    wait(mine.exists, 20)


def test_what_a_dead_process_announced_goes_with_the_next_one(tmp_path: Path) -> None:
    dead = tmp_path / f"serving-{socket.gethostname()}-999999999.json"
    elsewhere = tmp_path / "serving-another-host-999999999.json"
    for file in (dead, elsewhere):
        file.write_text("[]")
    mine = announce(tmp_path, "serving", "127.0.0.1:4000").file
    assert sorted(tmp_path.iterdir()) == sorted([mine, elsewhere])
    [told] = json.loads(mine.read_text())
    assert told == {"targets": ["127.0.0.1:4000"], "labels": {"process": "serving", "pid": str(os.getpid())}}
    assert forget_dead(tmp_path, "serving") == []


def test_of_all_interfaces_prometheus_is_told_the_machines_name(tmp_path: Path) -> None:
    file = announce(tmp_path, "serving", "0.0.0.0:4000").file
    [told] = json.loads(file.read_text())
    assert told["targets"] == [f"{socket.getfqdn()}:4000"]


def test_a_replica_that_ends_is_no_longer_announced_before_the_rest_of_it_ends(tmp_path: Path) -> None:
    app, mine, left = FastAPI(), announce(tmp_path, "serving", "127.0.0.1:4000"), list[bool]()
    at_close(app, lambda: left.append(mine.file.exists()))
    at_close(app, mine.leave)
    with TestClient(app):
        assert mine.file.exists()
    assert left == [False]

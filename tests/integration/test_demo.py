"""``make demo ONCE=1`` on a smaller world: exit 0 means that every promise it prints held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.listening import beyond_loopback, listeners

ROOT = Path(__file__).parents[2]
SMALL = ("--kols", "400", "--hours", "74")
DEMO = [sys.executable, str(ROOT / "jobs" / "demo.py"), *SMALL]


def test_the_demo_keeps_every_promise_with_a_file_of_the_users(tmp_path: Path) -> None:
    events = tmp_path / "mine.jsonl"
    good = '{{"kol_id": "mine", "platform": "x", "event_type": "engagement", "event_time": {at}, "likes": 2}}\n'
    events.write_text("".join(good.format(at=int(time.time() * 1000) - i * 1000) for i in range(50)) + "torn {\n")
    env = os.environ | {"KOLRAY_HOME": str(tmp_path)}
    # Not by this process, which would end make alone.
    command = ["timeout", "400", "make", "-s", "demo", "ONCE=1", f"ARGS={' '.join((*SMALL, '--file', str(events)))}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "0 differences" in done.stdout
    assert "50 events and 1 bad rows from files" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr


def test_interrupting_the_demo_stops_every_process_it_started(tmp_path: Path) -> None:
    env = os.environ | {"KOLRAY_HOME": str(tmp_path)}
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "events into Kafka" in line:
                break
        family = psutil.Process(demo.pid).children(recursive=True)
        assert len(family) > 4
        assert beyond_loopback(listeners(psutil.Process(demo.pid))) == {}
        demo.send_signal(signal.SIGINT)
        demo.stdout.read()
        assert demo.wait(60) == 130
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []

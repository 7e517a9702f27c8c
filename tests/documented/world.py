"""What is there while pages are typed: a copy of the repository, one home, files, platforms, a bucket, a Ray head."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from kolray import local
from kolray.clock import SystemClock
from kolray.local.ports import choose_port
from kolray.serving.tokens import Tokens
from kolray.settings import load_settings
from kolray.testing.clock import FakeClock
from kolray.testing.platforms import FakeWorld, fake_tiktok, fake_weibo, fake_youtube
from kolray.testing.platforms.tiktok import CLIENT, username
from kolray.testing.platforms.weibo import TOKEN, uid
from kolray.testing.platforms.youtube import KEY, channel_id
from kolray.testing.registry import MemoryRegistry
from tests.documented.files import ROOT, write_files
from tests.documented.pages import said
from tests.documented.session import INTERRUPTED, Session
from tests.documented.table import Entry
from tests.ray_head import ray_head
from tests.receiver import Receiver
from tests.s3 import s3_server

CLUSTER_PAGE = "docs/scaling.md"
"""From this page on there is a Ray head."""


@dataclass
class World:
    """Where pages are typed.

    Attributes:
        folder: where the repository's copy is, and a terminal begins.
        env: all of a terminal's environment.
    """

    folder: Path
    env: dict[str, str]
    stack: ExitStack

    def type_page(self, page: str, entries: list[Entry]) -> list[str]:
        """Types what a page tells to, in its order; programs that are not installed, whose commands were left out.

        Raises:
            AssertionError: commands did not end as they should; what they wrote is the message.
        """
        if page == CLUSTER_PAGE:
            self._start_ray()
        as_said = {command.text: command.script for command in said(ROOT / page)}
        session = Session(self.folder, self.env, self.folder.parent / f"{page.replace('/', '-')}.log")
        wrong: list[str] = []
        missing = {entry.needs for entry in entries if entry.needs and shutil.which(entry.needs) is None}
        for entry in entries:
            if entry.is_typed and entry.needs not in missing:
                wrong += _type(session, entry, entry.typed or as_said[entry.says])
        session.close()
        assert not wrong, "\n\n".join(wrong)
        return sorted(missing)

    def _start_ray(self) -> None:
        gcs_port = choose_port("port")
        head = ray_head(Path(self.env["KOLRAY_HOME"]), self.folder.parent / "head.log", gcs_port)
        dashboard = self.stack.enter_context(head)
        self.env |= {
            "RAY_ADDRESS": f"127.0.0.1:{gcs_port}",
            "RAY_API_SERVER_ADDRESS": dashboard,
            "RAY_DASHBOARD_ADDRESS": dashboard,
            "KOLRAY_URL": f"http://127.0.0.1:{self.env['KOLRAY_SERVING__PORT']}",
        }


def _type(session: Session, entry: Entry, script: str) -> list[str]:
    """What went wrong."""
    if not entry.until:
        code, wrote = session.type(script)
        return [] if code == entry.exit else [f"{script}\nended with {code}:\n{wrote[-3000:]}"]
    try:
        group = session.start(script, entry.until)
    except AssertionError as error:
        return [str(error)]
    code = session.interrupt(group)
    return [] if code in INTERRUPTED else [f"{script}\nended with {code} after Ctrl-C"]


@contextmanager
def documented_world(folder: Path) -> Iterator[World]:
    """Makes it, and ends whatever was started in it."""
    copy, home = folder / "kolray", folder / "home"
    _copy(copy)
    port = choose_port("serving")
    now = SystemClock().now()
    write_files(copy, now, port)
    with ExitStack() as stack:
        env = _plain() | _platforms(stack) | {
            "KOLRAY_HOME": str(home),
            "KOLRAY_SERVING__PORT": str(port),
            "KOLRAY_SERVING__WEBHOOKS_PRIVATE": "true",
            "KOLRAY_OBSERVE__PORT": str(choose_port("observe")),
            "KOL": "kol_000001",
            "TODAY": f"{now:%Y-%m-%d}",
            "YESTERDAY": f"{now - timedelta(days=1):%Y-%m-%d}",
            "ROOT": str(ROOT),
            "FREE": str(choose_port("prometheus")),
            "SCHEMA": str(ROOT / "kolray" / "schemas" / "web.avsc"),
            "RECEIVER": Receiver().url,
            "REGISTRY": stack.enter_context(MemoryRegistry()).url,
            "S3": str(stack.enter_context(s3_server()).endpoint),
        }  # fmt: skip
        env["KOLRAY_TOKEN"] = Tokens.of(load_settings(home=home)).create("reader", ("read", "score"), 1000)
        stack.callback(local.down, home)
        yield World(copy, env, stack)


def _plain() -> dict[str, str]:
    """This process's environment without settings of kolray, and with its programs first."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("KOLRAY_", "PYTEST_"))}
    return env | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"}


def _platforms(stack: ExitStack) -> dict[str, str]:
    world = FakeWorld(1, FakeClock(SystemClock().now()), n_accounts=2, n_posts=4)
    return {
        "KOLRAY_YOUTUBE__BASE_URL": stack.enter_context(fake_youtube(world)),
        "KOLRAY_YOUTUBE__API_KEY": KEY,
        "CHANNEL": channel_id(0),
        "KOLRAY_TIKTOK__BASE_URL": stack.enter_context(fake_tiktok(world)),
        "KOLRAY_TIKTOK__CLIENT_KEY": CLIENT[0],
        "KOLRAY_TIKTOK__CLIENT_SECRET": CLIENT[1],
        "USERNAME": username(0),
        "KOLRAY_WEIBO__BASE_URL": stack.enter_context(fake_weibo(world)),
        "KOLRAY_WEIBO__ACCESS_TOKEN": TOKEN,
        "WEIBO_UID": uid(0),
    }


def _copy(folder: Path) -> None:
    """The repository as git has it, with this environment as its ``.venv``."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)

"""Each platform's connector against its fake server over HTTP, and a poll that crashes where a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from kolray.connectors.api import Spend
from kolray.connectors.base import Connector, Row
from kolray.connectors.poll import poll_accounts
from kolray.connectors.state import PollState
from kolray.connectors.tiktok import TiktokConnector
from kolray.connectors.weibo import WeiboConnector
from kolray.connectors.youtube import YoutubeConnector
from kolray.settings import TiktokSettings, WeiboSettings, YoutubeSettings
from kolray.testing.clock import FakeClock
from kolray.testing.platforms import FakePost, FakeWorld, Faults, fake_tiktok, fake_weibo, fake_youtube
from kolray.testing.platforms import tiktok as tiktok_server
from kolray.testing.platforms import weibo as weibo_server
from kolray.testing.platforms import youtube as youtube_server


@dataclass(frozen=True)
class Platform:
    """What a test needs to know of a platform."""

    name: str
    serve: Callable[[FakeWorld, Faults], AbstractContextManager[str]]
    connect: Callable[[str, FakeClock, Spend | None], Connector]
    stranger: Callable[[str, FakeClock, Spend | None], Connector]
    account_id: Callable[[int], str]
    counts: tuple[str, ...]

    def lists(self, post: FakePost, at: Any) -> bool:
        """Whether the connector's list shows a post at a time: TikTok's goes back 30 days."""
        age = at.date() - post.published_at.date()
        return post.shown(at) and (self.name != "tiktok" or age.days <= 30)


Connect = Callable[[str, FakeClock, Spend | None], Connector]


def _youtube(key: str) -> Connect:
    def connect(url: str, clock: FakeClock, spend: Spend | None) -> Connector:
        return YoutubeConnector(YoutubeSettings(api_key=SecretStr(key), base_url=url), spend=spend)

    return connect


def _tiktok(key: str, secret: str) -> Connect:
    client = {"client_key": SecretStr(key), "client_secret": SecretStr(secret)}

    def connect(url: str, clock: FakeClock, spend: Spend | None) -> Connector:
        return TiktokConnector(TiktokSettings(**client, base_url=url), clock=clock, spend=spend)

    return connect


def _weibo(token: str) -> Connect:
    def connect(url: str, clock: FakeClock, spend: Spend | None) -> Connector:
        return WeiboConnector(WeiboSettings(access_token=SecretStr(token), base_url=url), spend=spend)

    return connect


ALL = ("views", "likes", "comments", "shares")
WRONG = "wrong-secret"
PLATFORMS = (
    Platform(
        "youtube",
        fake_youtube,
        _youtube(youtube_server.KEY),
        _youtube(WRONG),
        youtube_server.channel_id,
        ("views", "likes", "comments"),
    ),
    Platform(
        "tiktok",
        fake_tiktok,
        _tiktok(*tiktok_server.CLIENT),
        _tiktok(tiktok_server.CLIENT[0], WRONG),
        tiktok_server.username,
        ALL,
    ),
    Platform(
        "weibo",
        fake_weibo,
        _weibo(weibo_server.TOKEN),
        _weibo(WRONG),
        weibo_server.uid,
        ("likes", "comments", "shares"),
    ),
)


class CrashError(BaseException):
    """The process ends here."""


class CrashingState(PollState):
    """Crashes at the n-th of the places where something was, or is about to be, written."""

    def __init__(self, path: Path, crash_at: int | None) -> None:
        super().__init__(path)
        self._db.execute("PRAGMA synchronous = OFF")  # a process crashes here, never the machine
        self._left = crash_at

    def place(self) -> None:
        """One such place."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                raise CrashError

    @contextmanager
    def step(self) -> Iterator[None]:
        self.place()
        with super().step():
            yield
            self.place()
        self.place()


class Poller:
    """Polls a world's accounts; ``sent`` is what the broker has."""

    def __init__(self, platform: Platform, url: str, world: FakeWorld, clock: FakeClock, file: Path) -> None:
        self._platform, self._url, self._clock, self._file = platform, url, clock, file
        self.accounts = [platform.account_id(account.number) for account in world.accounts]
        self.sent: list[Row] = []

    def poll(self, crash_at: int | None = None, spend: Spend | None = None) -> None:
        """One poll; after a crash another, until one ends."""
        try:
            self._once(crash_at, spend)
        except CrashError:
            self._once(None, spend)

    def _once(self, crash_at: int | None, spend: Spend | None) -> None:
        with closing(CrashingState(self._file, crash_at)) as state:
            asyncio.run(self._fetch(state, spend))
            state.place()
            upto, rows = state.pending()
            self.sent += rows
            state.place()
            state.forget_pending(upto)

    async def _fetch(self, state: PollState, spend: Spend | None) -> None:
        connector = self._platform.connect(self._url, self._clock, spend)
        try:
            await connector.authenticate()
            await poll_accounts(connector, self.accounts, state, self._clock)
        finally:
            await connector.close()

    def events(self) -> list[Row]:
        """What was sent, each once; an event sent again must be the same."""
        found: dict[str, Row] = {}
        for row in self.sent:
            assert found.setdefault(row["event_id"], row) == row
        return list(found.values())

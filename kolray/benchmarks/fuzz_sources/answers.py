"""Hostile answers of the three platforms to their connectors: polls end, and each item is read or told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import stamina
from pydantic import SecretStr

from kolray.benchmarks.fuzz_sources.hostile import Hostile
from kolray.clock import SystemClock
from kolray.connectors.base import Connector
from kolray.connectors.poll import poll_accounts
from kolray.connectors.poll_run import to_events
from kolray.connectors.state import PollState
from kolray.connectors.tiktok import TiktokConnector
from kolray.connectors.weibo import WeiboConnector
from kolray.connectors.youtube import YoutubeConnector
from kolray.errors import InvalidInputError, QuotaSpentError
from kolray.settings import TiktokSettings, WeiboSettings, YoutubeSettings

ITEMS = 50
"""Posts, and as many comments, an account shows."""
ISO, WEIBO, SECOND = "2026-05-01T12:00:00Z", "Fri May 01 12:00:00 +0000 2026", 1_777_636_800
Item = dict[str, Any]


def _youtube(number: int) -> tuple[Item, Item, Item]:
    channel = {"id": "UC1", "snippet": {"publishedAt": ISO}, "statistics": {"subscriberCount": "1230"}}
    snippet = {"channelId": "UC1", "publishedAt": ISO, "title": "A video"}
    video = {
        "id": f"v{number}",
        "snippet": snippet,
        "statistics": {"viewCount": "5", "likeCount": "1", "commentCount": "1"},
    }
    top = {"snippet": {"textOriginal": "hay", "publishedAt": ISO, "authorChannelId": {"value": "UCf"}}}
    thread = {"id": f"c{number}", "snippet": {"channelId": "UC1", "videoId": f"v{number}", "topLevelComment": top}}
    return channel, video | {"contentDetails": {"videoId": f"v{number}"}}, thread


def _tiktok(number: int) -> tuple[Item, Item, Item]:
    user = {"follower_count": 10, "following_count": 3, "video_count": 2, "is_verified": True}
    video = {"id": number, "username": "u", "create_time": SECOND, "view_count": 5, "like_count": 1, "comment_count": 1}
    return user, video, {"id": number, "video_id": number, "text": "hay", "create_time": SECOND}


def _weibo(number: int) -> tuple[Item, Item, Item]:
    user = {"idstr": "1", "followers_count": "1.2万", "friends_count": 3, "statuses_count": 2, "created_at": WEIBO}
    status = {
        "id": number,
        "created_at": WEIBO,
        "text": "好",
        "attitudes_count": 1,
        "comments_count": 1,
        "reposts_count": 0,
    }
    return user, status, {"id": number, "created_at": WEIBO, "text": "好", "user": {"id": 7}}


_ITEMS: dict[str, Callable[[int], tuple[Item, Item, Item]]] = {"youtube": _youtube, "tiktok": _tiktok, "weibo": _weibo}


class Platform(httpx.AsyncBaseTransport):
    """Answers with hostile items; one body in ten is itself hostile. ``items``: how many it showed in whole bodies."""

    def __init__(self, name: str, hostile: Hostile) -> None:
        self._name, self._hostile, self.items = name, hostile, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if "oauth" in path:
            return httpx.Response(200, json={"access_token": "t"})
        what = 0 if "channels" in path or "user/info" in path or "users/show" in path else 1 + ("omment" in path)
        n = 1 if what == 0 else ITEMS
        shown = [self._hostile.changed(_ITEMS[self._name](number)[what], 2) for number in range(1, n + 1)]
        body = self._hostile.written(self._body(what, shown))
        if self._hostile.chance.random() < 0.1:
            whole = self._hostile.changed(self._body(what, shown[:1]))
            body = self._hostile.bytes(body) if self._hostile.chance.random() < 0.5 else self._hostile.written(whole)
        self.items += n
        return httpx.Response(200, content=body)

    def _body(self, what: int, shown: list[Item]) -> Item:
        if self._name == "youtube":
            return {"items": shown}
        names = (None, "videos", "comments") if self._name == "tiktok" else (None, "statuses", "comments")
        held = shown[0] if names[what] is None else {str(names[what]): shown}
        return (
            {"data": held, "error": {"code": "ok"}}
            if self._name == "tiktok"
            else held | ({"next_cursor": 0} if what else {})
        )


def _connector(name: str, transport: Platform) -> Connector:
    key = SecretStr("fuzz")
    if name == "youtube":
        return YoutubeConnector(YoutubeSettings(api_key=key), transport)
    if name == "tiktok":
        return TiktokConnector(TiktokSettings(client_key=key, client_secret=key), transport)
    return WeiboConnector(WeiboSettings(access_token=key), transport)


def fuzz_answers(folder: Path, items: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Polls until the platforms showed so many items; what became of their rows, and what crashed or was lost."""
    outcomes, wrong, shown, number = Counter[str](), list[str](), 0, 0
    stamina.set_active(False)
    try:
        while shown < items:
            name = sorted(_ITEMS)[number % len(_ITEMS)]
            platform = Platform(name, Hostile(seed * 1_000_003 + number))
            try:
                outcomes.update(_poll(folder / f"{number}.db", name, platform))
            except Exception as error:  # any is a finding
                wrong.append(f"{name}, poll {number} of seed {seed}: {type(error).__name__}: {error}"[:300])
            shown, number = shown + platform.items, number + 1
    finally:
        stamina.set_active(True)
    return outcomes + Counter(items=shown), wrong


def _poll(file: Path, name: str, platform: Platform) -> dict[str, int]:
    """One poll of one account: its rows as events and dead letters, none lost."""
    refused = 0
    with closing(PollState(file)) as state:
        try:
            asyncio.run(_fetch(name, platform, state))
        except (InvalidInputError, QuotaSpentError):
            refused = 1
        _, rows = state.pending()
        found = to_events(rows, name) if rows else None
    file.unlink()
    events, letters = (found.frame.height, found.dead.height) if found else (0, 0)
    if events + letters != len(rows):
        raise AssertionError(f"{events} events and {letters} letters of {len(rows)} rows")
    return {"events": events, "dead_letters": letters, "answers_refused": refused}


async def _fetch(name: str, platform: Platform, state: PollState) -> None:
    connector = _connector(name, platform)
    try:
        await connector.authenticate()
        await poll_accounts(connector, ["UC1" if name == "youtube" else "1"], state, SystemClock())
    finally:
        await connector.close()

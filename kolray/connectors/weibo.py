"""Weibo's open API: users, their timelines, comments. Requests are counted by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx

from kolray.connectors.api import Outcome, PlatformApi, Spend, by_status
from kolray.connectors.base import Comment, Page, Post, Profile, count_of, flag_of, read_items
from kolray.errors import InvalidInputError
from kolray.settings import WeiboSettings

PAGE = 100
_SPENT = (10022, 10023, 10024)
_BUSY = (10001, 10009, 10010, 10011)
_GONE = (20003, 20101, 20132)
"""No such user; no such post; its author took it away from others."""


class WeiboConnector:
    """Implements ``Connector``; an account is a numeric user id."""

    platform = "weibo"
    profiles_a_call = 1
    comments_newest_first = False

    def __init__(
        self,
        settings: WeiboSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        spend: Spend | None = None,
    ) -> None:
        self._token = settings.access_token
        self._api = PlatformApi("Weibo", settings.base_url, judge, spend, transport)

    async def authenticate(self) -> None:
        """Needs an access token; Weibo checks it with the first call.

        Raises:
            InvalidInputError: no token is set.
        """
        if self._token is None:
            raise InvalidInputError(
                "no Weibo access token: authorize an application and set KOLRAY_WEIBO__ACCESS_TOKEN"
            )

    async def fetch_profile(self, account_ids: Sequence[str]) -> list[Profile]:
        """Users that exist among the ids, one a request."""
        found = []
        for uid in account_ids:
            user = await self._get("users/show.json", uid=uid)
            found += [] if user is None else [profile_of(user)]
        return found

    async def fetch_posts(self, account_id: str, cursor: str | None = None) -> Page[Post]:
        """The timeline, 100 a request; ``cursor``: the greatest id of the next page, which new posts do not move."""
        body = await self._get("statuses/user_timeline.json", uid=account_id, count=PAGE, max_id=cursor or 0) or {}
        items = body.get("statuses", [])
        posts, broken = read_items([item for item in items if not _deleted(item)], lambda one: post_of(account_id, one))
        return Page(posts, _next(body, items), broken)

    async def fetch_comments(
        self, account_id: str, post_ids: Sequence[str], cursor: str | None = None
    ) -> Page[Comment]:
        """Comments of the posts, one after the other, newest first, 100 a request."""
        if not post_ids:
            return Page()
        number, greatest = (cursor or "0 0").split(" ")
        at = int(number)
        body = await self._get("comments/show.json", id=post_ids[at], count=PAGE, max_id=greatest) or {}
        items = body.get("comments", [])
        comments, broken = read_items(items, lambda item: comment_of(account_id, post_ids[at], item))
        following = _next(body, items)
        if following is not None:
            return Page(comments, f"{at} {following}", broken)
        return Page(comments, f"{at + 1} 0" if at + 1 < len(post_ids) else None, broken)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()

    async def _get(self, path: str, **query: Any) -> dict[str, Any] | None:
        token = "" if self._token is None else self._token.get_secret_value()
        return await self._api.ask("GET", path, params=query, headers={"Authorization": f"OAuth2 {token}"})


def judge(status: int, body: dict[str, Any]) -> tuple[Outcome, str]:
    """What an answer means; an error has a code of Weibo's own, whatever the status."""
    code = count_of(body.get("error_code"))
    if code is None:
        return by_status(status), f"HTTP {status}"
    said = f"{code} {body.get('error')}"
    for outcome, codes in (("spent", _SPENT), ("again", _BUSY), ("gone", _GONE)):
        if code in codes:
            return outcome, said  # type: ignore[return-value]
    return by_status(max(status, 400)), said


def profile_of(user: dict[str, Any]) -> Profile:
    """A user; "1.2万" followers are rounded down to a multiple of 1,000."""
    shown = user.get("followers_count")
    return Profile(
        account_id=str(user.get("idstr") or user["id"]),
        followers=count_of(shown),
        following=count_of(user.get("friends_count")),
        posts=count_of(user.get("statuses_count")),
        verified=flag_of(user.get("verified")),
        created_at=_time(user["created_at"]) if user.get("created_at") else None,
        followers_step=_step(str(shown)),
    )


def post_of(account_id: str, item: dict[str, Any]) -> Post:
    """A post."""
    names = {"likes": "attitudes_count", "comments": "comments_count", "shares": "reposts_count"}
    return Post(
        post_id=str(item.get("idstr") or item["id"]),
        account_id=account_id,
        published_at=_time(item["created_at"]),
        text=item.get("text"),
        lang=None,
        totals={ours: count_of(item.get(theirs)) for ours, theirs in names.items()},
    )


def comment_of(account_id: str, post_id: str, item: dict[str, Any]) -> Comment:
    """A comment."""
    user = item.get("user") or {}
    author = user.get("idstr") or user.get("id")
    return Comment(
        comment_id=str(item.get("idstr") or item["id"]),
        post_id=post_id,
        account_id=account_id,
        author=None if author is None else str(author),
        at=_time(item["created_at"]),
        text=item.get("text") or "",
    )


def _next(body: dict[str, Any], items: list[dict[str, Any]]) -> str | None:
    """The greatest id of the next page, 0 after the last; where none is said, that before the oldest of the page.

    A page may have fewer than were asked for, hidden ones being left out, and still not be the last.
    """
    said = count_of(body.get("next_cursor"))
    if said is None and items:
        ids, _ = read_items(items, lambda item: int(item["id"]))
        said = min(ids) - 1 if ids else None
    return str(said) if said else None


def _deleted(item: Any) -> bool:
    return isinstance(item, dict) and bool(item.get("deleted"))


def _step(shown: str) -> int:
    for unit, size in (("万", 10_000), ("亿", 100_000_000)):
        if shown.endswith(unit):
            return int(size // 10 ** len(shown[:-1].partition(".")[2]))
    return 1


def _time(text: str) -> datetime:
    """``Tue May 31 17:46:55 +0800 2011``."""
    return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")

"""TikTok Research API: users, their videos, comments. Every request counts against the day's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from kolray.clock import Clock, SystemClock, from_ms
from kolray.connectors.api import Outcome, PlatformApi, Spend, TokenEndedError, by_status
from kolray.connectors.base import Comment, Page, Post, Profile, count_of, flag_of, read_items
from kolray.errors import InvalidInputError
from kolray.settings import TiktokSettings

PAGE = 100
RANGE_DAYS = 30
MAX_COMMENTS = 1000
"""The API shows no further comments of a video."""
USER = "follower_count,following_count,video_count,is_verified"
VIDEO = "id,username,create_time,video_description,view_count,like_count,comment_count,share_count"
COMMENT = "id,video_id,text,create_time"


class TiktokConnector:
    """Implements ``Connector``; an account is a username. The API says neither when an account was made nor who
    comments."""

    platform = "tiktok"
    profiles_a_call = 1
    comments_newest_first = False

    def __init__(
        self,
        settings: TiktokSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        spend: Spend | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._settings, self._clock = settings, clock or SystemClock()
        self._api = PlatformApi("TikTok", settings.base_url, judge, spend, transport)
        self._token: str | None = None

    async def authenticate(self) -> None:
        """Gets a client token, which holds two hours; one that ends is renewed.

        Raises:
            InvalidInputError: no key or secret is set, or TikTok refuses them.
        """
        key, secret = self._settings.client_key, self._settings.client_secret
        if key is None or secret is None:
            raise InvalidInputError(
                "no TikTok client: get one for the Research API and set KOLRAY_TIKTOK__CLIENT_KEY and "
                "KOLRAY_TIKTOK__CLIENT_SECRET"
            )
        form = {"client_key": key.get_secret_value(), "client_secret": secret.get_secret_value()}
        form["grant_type"] = "client_credentials"
        body = await self._api.ask("POST", "/v2/oauth/token/", units=0, data=form) or {}
        if not body.get("access_token"):
            raise InvalidInputError(f"TikTok gave no token: {body.get('error_description', 'no reason')}")
        self._token = body["access_token"]

    async def fetch_profile(self, account_ids: Sequence[str]) -> list[Profile]:
        """Users that exist among the names, one a request."""
        found = []
        for username in account_ids:
            data = await self._ask("user/info", USER, {"username": username})
            found += [] if data is None else [profile_of(username, data)]
        return found

    async def fetch_posts(self, account_id: str, cursor: str | None = None) -> Page[Post]:
        """Videos not older than ``tiktok.days``, 100 a request; ``cursor``: the range's end, TikTok's search and place.

        A query spans 30 days at most: longer times are ranges after one another.
        """
        today = f"{self._clock.now():%Y%m%d}"
        newest, end, search, place = (cursor or f"{today} {today} - 0").split(" ")
        last = _day(end)
        oldest = _day(newest) - timedelta(days=self._settings.days)
        first = max(last - timedelta(days=RANGE_DAYS - 1), oldest)
        body: dict[str, Any] = {
            "query": {"and": [{"operation": "EQ", "field_name": "username", "field_values": [account_id]}]},
            "start_date": f"{first:%Y%m%d}",
            "end_date": end,
            "max_count": PAGE,
            "cursor": int(place),
        }
        if search != "-":
            body["search_id"] = search
        data = await self._ask("video/query", VIDEO, body) or {}
        following = None
        if data.get("has_more"):
            following = f"{newest} {end} {data.get('search_id') or '-'} {int(data['cursor'])}"
        elif first > oldest:
            following = f"{newest} {first - timedelta(days=1):%Y%m%d} - 0"
        posts, broken = read_items(data.get("videos", []), post_of)
        return Page(posts, following, broken)

    async def fetch_comments(
        self, account_id: str, post_ids: Sequence[str], cursor: str | None = None
    ) -> Page[Comment]:
        """The top comments of the videos, one after the other, 100 a request, 1,000 a video."""
        if not post_ids:
            return Page()
        number, place = (int(part) for part in (cursor or "0 0").split(" "))
        request = {"video_id": int(post_ids[number]), "max_count": PAGE, "cursor": place}
        data = await self._ask("video/comment/list", COMMENT, request) or {}
        comments, broken = read_items(data.get("comments", []), lambda item: comment_of(account_id, item))
        if data.get("has_more") and int(data["cursor"]) < MAX_COMMENTS:
            return Page(comments, f"{number} {int(data['cursor'])}", broken)
        return Page(comments, f"{number + 1} 0" if number + 1 < len(post_ids) else None, broken)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()

    async def _ask(self, what: str, fields: str, body: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return await self._with_token(what, fields, body)
        except TokenEndedError:
            await self.authenticate()
            return await self._with_token(what, fields, body)

    async def _with_token(self, what: str, fields: str, body: dict[str, Any]) -> dict[str, Any] | None:
        if self._token is None:
            raise TokenEndedError("no TikTok token yet")
        headers = {"Authorization": f"Bearer {self._token}"}
        path = f"/v2/research/{what}/"
        answer = await self._api.ask("POST", path, params={"fields": fields}, json=body, headers=headers)
        return None if answer is None else answer.get("data") or {}


def judge(status: int, body: dict[str, Any]) -> tuple[Outcome, str]:
    """What an answer means, with TikTok's code, message and log id."""
    error = body.get("error")
    if not isinstance(error, dict):  # the token's endpoint names its error by a word
        return ("refused" if error else by_status(status)), f"HTTP {status} {error or ''}".strip()
    code, message = str(error.get("code")), str(error.get("message", ""))
    said = f"{status} {code}: {message} (log {error.get('log_id')})"
    if code == "daily_quota_limit_exceeded":
        return "spent", said
    if code == "access_token_invalid":
        return "token", said
    if code == "not_found" or "cannot find the user" in message:
        return "gone", said
    return ("ok" if code == "ok" else by_status(max(status, 400))), said


def profile_of(username: str, data: dict[str, Any]) -> Profile:
    """A user; a count that is left out is unknown."""
    return Profile(
        account_id=username,
        followers=count_of(data.get("follower_count")),
        following=count_of(data.get("following_count")),
        posts=count_of(data.get("video_count")),
        verified=flag_of(data.get("is_verified")),
        created_at=None,
    )


def post_of(item: dict[str, Any]) -> Post:
    """A video; its counts may lag by days."""
    names = {"views": "view_count", "likes": "like_count", "comments": "comment_count", "shares": "share_count"}
    return Post(
        post_id=str(item["id"]),
        account_id=item["username"],
        published_at=_second(item["create_time"]),
        text=item.get("video_description"),
        lang=None,
        totals={ours: count_of(item.get(theirs)) for ours, theirs in names.items()},
    )


def comment_of(account_id: str, item: dict[str, Any]) -> Comment:
    """A comment, without its author."""
    return Comment(
        comment_id=str(item["id"]),
        post_id=str(item["video_id"]),
        account_id=account_id,
        author=None,
        at=_second(item["create_time"]),
        text=item.get("text") or "",
    )


def _second(epoch: Any) -> datetime:
    return from_ms(int(epoch) * 1000)


def _day(text: str) -> datetime:
    return datetime.strptime(text + "+0000", "%Y%m%d%z")

"""YouTube Data API v3: channels, their uploads, comments. Every list call costs one unit of quota."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from kolray.connectors.api import Outcome, PlatformApi, Spend, by_status
from kolray.connectors.base import Comment, Page, Post, Profile, count_of, read_items
from kolray.errors import InvalidInputError
from kolray.settings import YoutubeSettings

MAX_IDS = 50
MAX_COMMENTS = 100
_SPENT = ("quotaExceeded", "dailyLimitExceeded")
_SLOWER = ("rateLimitExceeded", "userRateLimitExceeded")
_GONE = ("channelNotFound", "playlistNotFound", "videoNotFound", "commentsDisabled")


class YoutubeConnector:
    """Implements ``Connector``; an account is a channel.

    Args:
        transport: replaces the network, for recorded responses.
    """

    platform = "youtube"
    profiles_a_call = MAX_IDS
    comments_newest_first = True

    def __init__(
        self,
        settings: YoutubeSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        spend: Spend | None = None,
    ) -> None:
        self._key = settings.api_key
        self._offline = transport is not None
        self._api = PlatformApi("YouTube", settings.base_url, judge, spend, transport)

    async def authenticate(self) -> None:
        """Needs an API key; YouTube checks it with the first call.

        Raises:
            InvalidInputError: no key is set.
        """
        if self._key is None and not self._offline:
            raise InvalidInputError(
                "no YouTube API key: create one for the YouTube Data API v3 and set KOLRAY_YOUTUBE__API_KEY"
            )

    async def fetch_profile(self, account_ids: Sequence[str]) -> list[Profile]:
        """Channels that exist among the given ids, 50 a call."""
        found: list[Profile] = []
        for at in range(0, len(account_ids), MAX_IDS):
            ids = ",".join(account_ids[at : at + MAX_IDS])
            page = await self._list("channels", part="snippet,statistics", id=ids, maxResults=MAX_IDS)
            found += read_items(page.items, profile_of)[0]
        return found

    async def fetch_posts(self, account_id: str, cursor: str | None = None) -> Page[Post]:
        """Uploads of a channel with their totals, 50 for two calls."""
        uploads = "UU" + account_id[2:]  # the uploads playlist of channel UC…
        listed = await self._list(
            "playlistItems", cursor, part="contentDetails", playlistId=uploads, maxResults=MAX_IDS
        )
        named, broken = read_items(listed.items, lambda item: str(item["contentDetails"]["videoId"]))
        ids = ",".join(named)
        if not ids:
            return Page([], listed.cursor, broken)
        shown = await self._list("videos", part="snippet,statistics", id=ids, maxResults=MAX_IDS)
        posts, unread = read_items(shown.items, post_of)
        return Page(posts, listed.cursor, broken + unread)

    async def fetch_comments(
        self, account_id: str, post_ids: Sequence[str], cursor: str | None = None
    ) -> Page[Comment]:
        """Newest top-level comments on all of a channel's videos, whatever ``post_ids``: one call for 100."""
        page = await self._list(
            "commentThreads", cursor, part="snippet", allThreadsRelatedToChannelId=account_id, maxResults=MAX_COMMENTS
        )
        comments, broken = read_items(page.items, comment_of)
        return Page(comments, page.cursor, broken)

    async def close(self) -> None:
        """Closes the connections."""
        await self._api.close()

    async def _list(self, resource: str, cursor: str | None = None, **query: Any) -> Page[dict[str, Any]]:
        headers = {} if self._key is None else {"X-Goog-Api-Key": self._key.get_secret_value()}  # a URL is logged
        params = {**query, **({"pageToken": cursor} if cursor else {})}
        body = await self._api.ask("GET", resource, params=params, headers=headers) or {}
        return Page(body.get("items", []), body.get("nextPageToken"))


def judge(status: int, body: dict[str, Any]) -> tuple[Outcome, str]:
    """What an answer means, with the API's own reason and message."""
    error = body.get("error")
    if status < 400 or not isinstance(error, dict):
        return by_status(status), f"HTTP {status}"
    listed = error.get("errors", [])
    reasons = [str(each.get("reason")) for each in listed if isinstance(each, dict)]
    said = f"{error.get('code')} {', '.join(reasons)}: {error.get('message')}"
    for outcome, names in (("spent", _SPENT), ("again", _SLOWER), ("gone", _GONE)):
        if set(reasons) & set(names):
            return outcome, said  # type: ignore[return-value]
    return by_status(status), said


def profile_of(item: dict[str, Any]) -> Profile:
    """A channel; its counts are strings, and a hidden subscriber count is unknown, not 0.

    Subscribers are shown rounded down to three digits.
    """
    statistics, snippet = item.get("statistics", {}), item.get("snippet", {})
    followers = None if statistics.get("hiddenSubscriberCount") else count_of(statistics.get("subscriberCount"))
    return Profile(
        account_id=item["id"],
        followers=followers,
        following=None,
        posts=count_of(statistics.get("videoCount")),
        verified=None,
        created_at=_time(snippet.get("publishedAt")),
        followers_step=10 ** max(len(str(followers or 0)) - 3, 0),
    )


def post_of(item: dict[str, Any]) -> Post:
    """A video; likes or comments that are switched off are unknown."""
    statistics, snippet = item.get("statistics", {}), item["snippet"]
    published = _time(snippet["publishedAt"])
    if published is None:
        raise InvalidInputError(f"YouTube returned the video {item['id']} without a time of publication")
    return Post(
        post_id=item["id"],
        account_id=snippet["channelId"],
        published_at=published,
        text=snippet.get("title"),
        lang=snippet.get("defaultAudioLanguage") or snippet.get("defaultLanguage"),
        totals={
            "views": count_of(statistics.get("viewCount")),
            "likes": count_of(statistics.get("likeCount")),
            "comments": count_of(statistics.get("commentCount")),
        },
    )


def comment_of(item: dict[str, Any]) -> Comment:
    """A top-level comment."""
    snippet = item["snippet"]
    top = snippet["topLevelComment"]["snippet"]
    at = _time(top["publishedAt"])
    if at is None:
        raise InvalidInputError(f"YouTube returned the comment {item['id']} without a time")
    author = top.get("authorChannelId")
    return Comment(
        comment_id=item["id"],
        post_id=snippet.get("videoId"),
        account_id=snippet.get("channelId") or top.get("channelId", ""),
        author=author.get("value") if isinstance(author, dict) else author,
        at=at,
        text=top.get("textOriginal") or top.get("textDisplay", ""),
    )


def _time(text: str | None) -> datetime | None:
    if not text:
        return None
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at if at.tzinfo else at.replace(tzinfo=UTC)

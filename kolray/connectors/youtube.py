"""YouTube Data API v3: channels, their uploads, comments. Every list call costs one unit of quota."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx
import stamina

from kolray.connectors.base import Comment, Post, Profile
from kolray.errors import InvalidInputError, ServiceUnavailableError
from kolray.settings import YoutubeSettings

MAX_IDS = 50
MAX_PAGES = 20
RETRIED = (429, 500, 502, 503, 504)


class YoutubeConnector:
    """Implements ``Connector``.

    Args:
        transport: replaces the network, for recorded responses.
    """

    def __init__(self, settings: YoutubeSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._offline = transport is not None
        self._http = httpx.AsyncClient(base_url=settings.base_url, timeout=20, transport=transport)

    async def authenticate(self) -> None:
        """Needs an API key; YouTube checks it with the first call.

        Raises:
            InvalidInputError: no key is set.
        """
        if self._settings.api_key is None and not self._offline:
            raise InvalidInputError(
                "no YouTube API key: create one for the YouTube Data API v3 and set KOLRAY_YOUTUBE__API_KEY"
            )

    async def fetch_profile(self, account_ids: Sequence[str]) -> list[Profile]:
        """Channels that exist among the given ids, 50 a call."""
        found = []
        for at in range(0, len(account_ids), MAX_IDS):
            ids = ",".join(account_ids[at : at + MAX_IDS])
            found += [profile_of(item) for item in await self._list("channels", part="snippet,statistics", id=ids)]
        return found

    async def fetch_posts(self, account_id: str) -> list[Post]:
        """Uploads of a channel with their totals."""
        uploads = "UU" + account_id[2:]  # the uploads playlist of channel UC…
        items = await self._list("playlistItems", part="contentDetails", playlistId=uploads, maxResults=MAX_IDS)
        ids = [item["contentDetails"]["videoId"] for item in items]
        posts = []
        for at in range(0, len(ids), MAX_IDS):
            part = await self._list("videos", part="snippet,statistics", id=",".join(ids[at : at + MAX_IDS]))
            posts += [post_of(item) for item in part]
        return posts

    async def fetch_comments(self, account_id: str) -> list[Comment]:
        """Newest top-level comments on a channel's videos."""
        items = await self._list(
            "commentThreads", part="snippet", allThreadsRelatedToChannelId=account_id, maxResults=100
        )
        return [comment_of(item) for item in items]

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _list(self, resource: str, **query: Any) -> list[dict[str, Any]]:
        """All pages of a list call, at most ``MAX_PAGES``."""
        items: list[dict[str, Any]] = []
        token: str | None = None
        for _ in range(MAX_PAGES):
            page = await self._get(resource, {**query, **({"pageToken": token} if token else {})})
            items += page.get("items", [])
            token = page.get("nextPageToken")
            if not token:
                break
        return items

    async def _get(self, resource: str, query: dict[str, Any]) -> dict[str, Any]:
        key = self._settings.api_key
        headers = {} if key is None else {"X-Goog-Api-Key": key.get_secret_value()}  # a URL would end up in logs
        try:
            async for attempt in stamina.retry_context(on=_retry_after, attempts=5, timeout=60):
                with attempt:
                    answer = await self._http.get(resource, params=query, headers=headers)
                    answer.raise_for_status()
            body: dict[str, Any] = answer.json()
        except httpx.HTTPStatusError as error:
            raise InvalidInputError(f"YouTube refused {resource}: {reason_of(error.response)}") from None
        except httpx.HTTPError as error:
            raise ServiceUnavailableError("YouTube", self._settings.base_url, f"{type(error).__name__}") from None
        except ValueError:
            raise InvalidInputError(f"YouTube answered {resource} with something that is not JSON") from None
        return body


def _retry_after(error: Exception) -> bool | float:
    """Whether, or after how many seconds, to try again."""
    if isinstance(error, httpx.HTTPStatusError):
        if error.response.status_code not in RETRIED:
            return False
        wait = error.response.headers.get("Retry-After", "")
        return float(wait) if wait.isdigit() else True
    return isinstance(error, httpx.TransportError)


def reason_of(response: httpx.Response) -> str:
    """The API's own reason and message, without the key in the URL."""
    try:
        error = response.json()["error"]
        reasons = ", ".join(str(e.get("reason")) for e in error.get("errors", []))
        return f"{error.get('code')} {reasons}: {error.get('message')}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"HTTP {response.status_code}"


def profile_of(item: dict[str, Any]) -> Profile:
    """A channel; its counts are strings, and a hidden subscriber count is unknown, not 0."""
    statistics, snippet = item.get("statistics", {}), item.get("snippet", {})
    hidden = statistics.get("hiddenSubscriberCount", False)
    return Profile(
        account_id=item["id"],
        followers=None if hidden else _count(statistics, "subscriberCount"),
        following=None,
        posts=_count(statistics, "videoCount"),
        verified=None,
        created_at=_time(snippet.get("publishedAt")),
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
            "views": _count(statistics, "viewCount"),
            "likes": _count(statistics, "likeCount"),
            "comments": _count(statistics, "commentCount"),
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


def _count(statistics: dict[str, Any], name: str) -> int | None:
    value = statistics.get(name)
    return None if value is None else int(value)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None

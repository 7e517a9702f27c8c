"""Answers YouTube's list calls from resources, such as recorded ones: the connector above it is the real one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from kolray.errors import InvalidInputError

PAGE = 50
Resource = dict[str, Any]


@dataclass
class YoutubeResources:
    """Channels, videos and comment threads by id, as the API shows them."""

    channels: dict[str, Resource] = field(default_factory=dict)
    videos: dict[str, Resource] = field(default_factory=dict)
    threads: dict[str, Resource] = field(default_factory=dict)

    @classmethod
    def recorded(cls, folder: Path) -> YoutubeResources:
        """Those of a folder's ``*ListResponse`` files, unchanged; the richest recording of an id wins.

        Raises:
            InvalidInputError: there is no such folder.
        """
        if not folder.is_dir():
            raise InvalidInputError(f"{folder}: no such folder of recorded responses")
        held = cls()
        for file in sorted(folder.rglob("*.json")):
            held._index(json.loads(file.read_text()))
        return held

    def _index(self, body: Any) -> None:
        kept = {
            "youtube#channelListResponse": self.channels,
            "youtube#videoListResponse": self.videos,
            "youtube#commentThreadListResponse": self.threads,
        }.get(body.get("kind", "") if isinstance(body, dict) else "")
        for item in body.get("items", ()) if kept is not None else ():
            if kept is not None and ("statistics" in item or item["id"] not in kept):
                kept[item["id"]] = item

    def page(self, resource: str, query: dict[str, str]) -> Resource:
        """The body of an answer; a page token says where it begins."""
        found = self._find(resource, query)
        start, size = int(query.get("pageToken", 0)), min(int(query.get("maxResults", PAGE)), PAGE)
        body: Resource = {"items": found[start : start + size]}
        if start + size < len(found):
            body["nextPageToken"] = str(start + size)
        return body

    def _find(self, resource: str, query: dict[str, str]) -> list[Resource]:
        ids = [part for part in query.get("id", "").split(",") if part]
        if resource == "channels":
            return [self.channels[i] for i in ids if i in self.channels]
        if resource == "videos":
            return [self.videos[i] for i in ids if i in self.videos]
        if resource == "playlistItems":
            channel = "UC" + query["playlistId"][2:]
            mine = [v for v in self.videos.values() if v.get("snippet", {}).get("channelId") == channel]
            return [{"contentDetails": {"videoId": video["id"]}} for video in mine]
        channel = query["allThreadsRelatedToChannelId"]
        return [t for t in self.threads.values() if t["snippet"].get("channelId") == channel]


class RecordedYoutube(httpx.AsyncBaseTransport):
    """Stands for the network."""

    def __init__(self, folder: Path) -> None:
        self._resources = YoutubeResources.recorded(folder)
        self.channels = self._resources.channels

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """``channels``, ``playlistItems``, ``videos`` and ``commentThreads``."""
        body = self._resources.page(request.url.path.rsplit("/", 1)[-1], dict(request.url.params))
        return httpx.Response(200, json=body, request=request)

"""Answers YouTube's list calls from recorded responses: the connector above it is the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from kolray.errors import InvalidInputError

PAGE = 50


class RecordedYoutube(httpx.AsyncBaseTransport):
    """Resources of a folder's ``*ListResponse`` files, served with paging; the richest recording of an id wins."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InvalidInputError(f"{folder}: no such folder of recorded responses")
        self.channels: dict[str, dict[str, Any]] = {}
        self.videos: dict[str, dict[str, Any]] = {}
        self.threads: dict[str, dict[str, Any]] = {}
        for file in sorted(folder.rglob("*.json")):
            self._index(json.loads(file.read_text()))

    def _index(self, body: Any) -> None:
        kept = {
            "youtube#channelListResponse": self.channels,
            "youtube#videoListResponse": self.videos,
            "youtube#commentThreadListResponse": self.threads,
        }.get(body.get("kind", "") if isinstance(body, dict) else "")
        for item in body.get("items", ()) if kept is not None else ():
            if kept is not None and ("statistics" in item or item["id"] not in kept):
                kept[item["id"]] = item

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """``channels``, ``playlistItems``, ``videos`` and ``commentThreads``."""
        query = dict(request.url.params)
        found = self._find(request.url.path.rsplit("/", 1)[-1], query)
        start, size = int(query.get("pageToken", 0)), min(int(query.get("maxResults", PAGE)), PAGE)
        body: dict[str, Any] = {"items": found[start : start + size]}
        if start + size < len(found):
            body["nextPageToken"] = str(start + size)
        return httpx.Response(200, json=body, request=request)

    def _find(self, resource: str, query: dict[str, str]) -> list[dict[str, Any]]:
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

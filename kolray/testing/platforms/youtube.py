"""The YouTube Data API v3 as far as the connector asks it: counts are strings, subscribers rounded to three digits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kolray.connectors.recordings import Resource, YoutubeResources
from kolray.testing.platforms.faults import Faults
from kolray.testing.platforms.serve import served
from kolray.testing.platforms.world import FakeAccount, FakePost, FakeWorld

KEY = "fake-key"


def channel_id(account: int) -> str:
    """The id of a world's account."""
    return f"UCfake{account}"


@contextmanager
def fake_youtube(
    world: FakeWorld | None = None, faults: Faults | None = None, recordings: Path | None = None
) -> Iterator[str]:
    """Serves a world, or a folder's recorded responses unchanged, to who has the key ``KEY``; gives the API root."""
    faults = faults or Faults()
    recorded = YoutubeResources.recorded(recordings) if recordings else YoutubeResources()
    shown: dict[datetime, YoutubeResources] = {}

    async def answer(request: Request) -> Response:
        if request.headers.get("X-Goog-Api-Key") != KEY:
            return _error(400, "badRequest", "API key not valid. Please pass a valid API key.")
        if world is not None and faults.over_quota(world.now()):
            return _error(403, "quotaExceeded", "The request cannot be completed because you have exceeded your quota.")
        struck = faults.strike()
        if struck is not None:
            return struck
        resources = recorded
        if world is not None:
            resources = shown.get(world.now()) or shown.setdefault(world.now(), _resources(world))
        kind, query = request.path_params["resource"], dict(request.query_params)
        if kind == "playlistItems" and world is not None and "UC" + query["playlistId"][2:] not in resources.channels:
            return _error(404, "playlistNotFound", "The playlist cannot be found.")
        return JSONResponse(resources.page(kind, query))

    with served(Starlette(routes=[Route("/youtube/v3/{resource}", answer)])) as url:
        yield f"{url}/youtube/v3"


def _error(status: int, reason: str, message: str) -> Response:
    body = {"code": status, "message": message, "errors": [{"reason": reason, "domain": "youtube", "message": message}]}
    return JSONResponse({"error": body}, status)


def _resources(world: FakeWorld) -> YoutubeResources:
    held = YoutubeResources({channel_id(account.number): _channel(world, account) for account in world.accounts})
    for account in world.accounts:
        for post in world.posts_of(account.number):
            held.videos[f"v{post.number}"] = _video(world, post)
            held.threads |= {f"c{number}": _thread(post, number, at) for number, at in world.comments_of(post)}
    return held


def _channel(world: FakeWorld, account: FakeAccount) -> Resource:
    followers = world.followers(account)
    step = 10 ** max(len(str(followers)) - 3, 0)
    statistics = {"videoCount": str(len(world.posts_of(account.number))), "hiddenSubscriberCount": account.hidden}
    statistics["subscriberCount"] = "0" if account.hidden else str(followers // step * step)
    snippet = {"publishedAt": _time(account.made_at), "title": f"Channel {account.number}"}
    return {"id": channel_id(account.number), "snippet": snippet, "statistics": statistics}


def _video(world: FakeWorld, post: FakePost) -> Resource:
    totals = post.totals(world.now())
    names = {"views": "viewCount", "likes": "likeCount", "comments": "commentCount"}
    statistics = {theirs: str(totals[ours]) for ours, theirs in names.items() if totals[ours] is not None}
    snippet = {"channelId": channel_id(post.account), "publishedAt": _time(post.published_at), "title": "A video"}
    return {"id": f"v{post.number}", "snippet": snippet, "statistics": statistics}


def _thread(post: FakePost, number: int, at: datetime) -> Resource:
    top = {"textOriginal": "hay quá", "publishedAt": _time(at), "authorChannelId": {"value": f"UCfan{number % 7}"}}
    snippet = {"channelId": channel_id(post.account), "videoId": f"v{post.number}"}
    return {"id": f"c{number}", "snippet": {**snippet, "topLevelComment": {"snippet": top}}}


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"

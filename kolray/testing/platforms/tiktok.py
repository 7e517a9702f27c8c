"""The TikTok Research API as far as the connector asks it: tokens that end, searches with a place, dated ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kolray.testing.platforms.faults import Faults
from kolray.testing.platforms.serve import served
from kolray.testing.platforms.world import FakePost, FakeWorld

CLIENT = ("fake-client", "fake-secret")
TOKEN_LIFE = timedelta(hours=2)
PAGE = 3
"""Items a page has at most, whatever is asked for: the real API gives fewer than asked too."""
LOG_ID = "20260105080000ABCDEF"


def username(account: int) -> str:
    """The name of a world's account."""
    return f"fake_user_{account}"


@contextmanager
def fake_tiktok(world: FakeWorld, faults: Faults | None = None) -> Iterator[str]:
    """Serves a world to who has the client ``CLIENT``; gives the API root."""
    server = _Server(world, faults or Faults())
    posts = {
        "/v2/oauth/token/": server.token,
        "/v2/research/user/info/": server.asked(server.user),
        "/v2/research/video/query/": server.asked(server.videos),
        "/v2/research/video/comment/list/": server.asked(server.comments),
    }
    with served(Starlette(routes=[Route(path, do, methods=["POST"]) for path, do in posts.items()])) as url:
        yield url


class _Server:
    def __init__(self, world: FakeWorld, faults: Faults) -> None:
        self._world, self._faults = world, faults
        self._tokens: dict[str, datetime] = {}

    async def token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        if (form.get("client_key"), form.get("client_secret")) != CLIENT:
            return JSONResponse({"error": "invalid_client", "error_description": "Client key or secret is wrong"}, 401)
        token = f"clt.{len(self._tokens)}"
        self._tokens[token] = self._world.now() + TOKEN_LIFE
        return JSONResponse({"access_token": token, "expires_in": 7200, "token_type": "Bearer"})

    def asked(self, do: Callable[[dict[str, Any]], Response]) -> Callable[..., Any]:
        """``do`` with a token, quota and failures before it."""

        async def answer(request: Request) -> Response:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self._tokens.get(token, self._world.now()) <= self._world.now():
                return _error(401, "access_token_invalid", "The access token is invalid or not found in the request.")
            if self._faults.over_quota(self._world.now()):
                return _error(429, "daily_quota_limit_exceeded", "Daily quota limit exceeded")
            struck = self._faults.strike()
            if struck is not None:
                return struck
            return do(await request.json())

        return answer

    def user(self, body: dict[str, Any]) -> Response:
        account = next((a for a in self._world.accounts if username(a.number) == body["username"]), None)
        if account is None:
            return _error(404, "not_found", "cannot find the user")
        data: dict[str, Any] = {
            "following_count": 10,
            "video_count": len(self._world.posts_of(account.number)),
            "is_verified": account.number % 2 == 0,
        }
        return _ok(data if account.hidden else data | {"follower_count": self._world.followers(account)})

    def videos(self, body: dict[str, Any]) -> Response:
        first, last = (datetime.strptime(body[name] + "+0000", "%Y%m%d%z") for name in ("start_date", "end_date"))
        if last - first > timedelta(days=30):
            return _error(400, "invalid_params", "The time range must not exceed 30 days")
        [name] = body["query"]["and"][0]["field_values"]
        start = body["cursor"]
        if start and body.get("search_id") != f"search-{name}":
            return _error(400, "invalid_params", "search_id is invalid")
        account = next((a.number for a in self._world.accounts if username(a.number) == name), -1)
        found = [
            post for post in self._world.posts_of(account) if first <= post.published_at < last + timedelta(days=1)
        ]
        return _ok(_page("videos", found, start, self._video) | {"search_id": f"search-{name}"})

    def comments(self, body: dict[str, Any]) -> Response:
        post = self._world.post(body["video_id"])
        if post is None:
            return _error(404, "not_found", "no such video")
        found = self._world.comments_of(post)
        return _ok(_page("comments", found, body["cursor"], lambda one: _comment(body["video_id"], *one)))

    def _video(self, post: FakePost) -> dict[str, Any]:
        totals = post.totals(self._world.now())
        names = {"views": "view_count", "likes": "like_count", "comments": "comment_count", "shares": "share_count"}
        counts = {theirs: totals[ours] for ours, theirs in names.items() if totals[ours] is not None}
        made = int(post.published_at.timestamp())
        return {"id": post.number, "username": username(post.account), "create_time": made, **counts}


def _page(name: str, found: list[Any], start: int, show: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    end = start + PAGE
    return {name: [show(one) for one in found[start:end]], "cursor": end, "has_more": end < len(found)}


def _comment(video_id: int, number: int, at: datetime) -> dict[str, Any]:
    return {"id": number, "video_id": video_id, "text": "hay quá", "create_time": int(at.timestamp())}


def _ok(data: dict[str, Any]) -> Response:
    return JSONResponse({"data": data, "error": {"code": "ok", "message": "", "log_id": LOG_ID}})


def _error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"data": {}, "error": {"code": code, "message": message, "log_id": LOG_ID}}, status)

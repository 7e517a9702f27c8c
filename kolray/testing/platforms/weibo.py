"""Weibo's open API as far as the connector asks it: counts as strings, times of the east, errors by code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kolray.testing.platforms.faults import Faults
from kolray.testing.platforms.serve import served
from kolray.testing.platforms.world import FakePost, FakeWorld

TOKEN = "fake-token"  # noqa: S105
PAGE = 3
"""Items a page has at most, whatever is asked for: hidden ones are left out of real pages too."""
FIRST_UID = 1_000_000


def uid(account: int) -> str:
    """The id of a world's account."""
    return str(FIRST_UID + account)


@contextmanager
def fake_weibo(world: FakeWorld, faults: Faults | None = None) -> Iterator[str]:
    """Serves a world to who has the access token ``TOKEN``; gives the API root."""
    server = _Server(world, faults or Faults())
    gets = {
        "/2/users/show.json": server.user,
        "/2/statuses/user_timeline.json": server.timeline,
        "/2/comments/show.json": server.comments,
    }
    with served(Starlette(routes=[Route(path, server.asked(do)) for path, do in gets.items()])) as url:
        yield f"{url}/2"


class _Server:
    def __init__(self, world: FakeWorld, faults: Faults) -> None:
        self._world, self._faults = world, faults

    def asked(self, do: Callable[[dict[str, str]], Response]) -> Callable[..., Any]:
        """``do`` with a token, quota and failures before it."""

        async def answer(request: Request) -> Response:
            if request.headers.get("Authorization") != f"OAuth2 {TOKEN}":
                return _error(401, 21332, "invalid_access_token")
            if self._faults.over_quota(self._world.now()):
                return _error(403, 10023, "User requests out of rate limit!")
            return self._faults.strike() or do(dict(request.query_params))

        return answer

    def user(self, query: dict[str, str]) -> Response:
        account = next((a for a in self._world.accounts if uid(a.number) == query["uid"]), None)
        if account is None:
            return _error(400, 20003, "User does not exists!")
        body = {
            "id": int(query["uid"]),
            "idstr": query["uid"],
            "friends_count": "12",
            "statuses_count": len(self._world.posts_of(account.number)),
            "verified": False,
            "created_at": _time(account.made_at),
        }
        return JSONResponse(body if account.hidden else body | {"followers_count": self._world.followers(account)})

    def timeline(self, query: dict[str, str]) -> Response:
        """Posts have ids in the order of time; those of deleted ones stay, without counts, as at Weibo."""
        account = int(query["uid"]) - FIRST_UID
        there = [p for p in self._world.posts if p.account == account and p.published_at <= self._world.now()]
        found = sorted(((self._id(post), post) for post in there), reverse=True, key=lambda one: one[0])
        return _page("statuses", found, query, self._status)

    def comments(self, query: dict[str, str]) -> Response:
        post = next((p for p in self._world.posts if str(self._id(p)) == query["id"]), None)
        if post is None or not post.shown(self._world.now()):
            return _error(400, 20101, "target weibo does not exist!")
        found = [(number + 1, at) for number, at in self._world.comments_of(post)]
        return _page("comments", found, query, _comment)

    def _id(self, post: FakePost) -> int:
        return int(post.published_at.timestamp()) * 1000 + post.number

    def _status(self, number: int, post: FakePost) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": number,
            "idstr": str(number),
            "created_at": _time(post.published_at),
            "text": "你好",
        }
        if not post.shown(self._world.now()):
            return body | {"deleted": "1"}
        totals = post.totals(self._world.now())
        names = {"likes": "attitudes_count", "comments": "comments_count", "shares": "reposts_count"}
        return body | {theirs: str(totals[ours]) for ours, theirs in names.items() if totals[ours] is not None}


def _page(
    name: str, found: list[tuple[int, Any]], query: dict[str, str], show: Callable[[int, Any], dict[str, Any]]
) -> Response:
    greatest = int(query.get("max_id", 0)) or found[0][0] if found else 0
    rest = [one for one in found if one[0] <= greatest]
    following = rest[PAGE][0] if len(rest) > PAGE else 0
    items = [show(*one) for one in rest[:PAGE]]
    return JSONResponse({name: items, "total_number": len(found), "previous_cursor": 0, "next_cursor": following})


def _comment(number: int, at: datetime) -> dict[str, Any]:
    return {"id": number, "created_at": _time(at), "text": "好", "user": {"id": 5_000 + number % 7}}


def _error(status: int, code: int, message: str) -> Response:
    return JSONResponse({"error": message, "error_code": code, "request": "/2"}, status)


def _time(at: datetime) -> str:
    return f"{at.astimezone(timezone(timedelta(hours=8))):%a %b %d %H:%M:%S %z %Y}"

"""The rules of a poll one by one: rounded followers, hidden counts, new posts, tokens that end, long waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina
from pydantic import SecretStr

from kolray.connectors import tiktok, weibo, youtube
from kolray.connectors.base import Comment, Page, Post, Profile, Row, count_of
from kolray.connectors.poll import poll_accounts
from kolray.connectors.state import PollState
from kolray.connectors.tiktok import TiktokConnector
from kolray.errors import InvalidInputError, QuotaSpentError, ServiceUnavailableError
from kolray.settings import TiktokSettings
from kolray.testing.clock import START, FakeClock

WHO = "someone"


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


class Shown:
    """A platform that shows what a test says."""

    platform = "youtube"
    profiles_a_call = 50
    comments_newest_first = True

    def __init__(self) -> None:
        self.profile = Profile(WHO, 10, 1, 1, None, None)
        self.posts: list[Post] = []
        self.comments: list[str] = []
        self.cursors: list[str | None] = []
        self.torn_at: str | None = None

    async def authenticate(self) -> None: ...

    async def fetch_profile(self, account_ids: Sequence[str]) -> list[Profile]:
        return [self.profile]

    async def fetch_posts(self, account_id: str, cursor: str | None = None) -> Page[Post]:
        return Page(self.posts)

    async def fetch_comments(
        self, account_id: str, post_ids: Sequence[str], cursor: str | None = None
    ) -> Page[Comment]:
        self.cursors.append(cursor)
        if cursor is not None and cursor == self.torn_at:
            raise ServiceUnavailableError("a platform", "somewhere", "away")
        at = int(cursor or 0)
        page = [Comment(one, "p", WHO, "fan", START, "hay quá") for one in self.comments[at : at + 2]]
        return Page(page, str(at + 2) if at + 2 < len(self.comments) else None)

    async def close(self) -> None: ...


class Polls:
    """Polls ``shown`` an hour apart; each returns the events it made."""

    def __init__(self, folder: Path) -> None:
        self.shown, self.clock, self.state = Shown(), FakeClock(), PollState(folder / "state.db")

    def __call__(self) -> list[Row]:
        asyncio.run(poll_accounts(self.shown, [WHO], self.state, self.clock))
        self.clock.sleep(3600)
        upto, rows = self.state.pending()
        self.state.forget_pending(upto)
        return rows


@pytest.fixture
def polls(tmp_path: Path) -> Polls:
    return Polls(tmp_path)


def post(published: datetime = START - timedelta(days=9), number: str = "p", **totals: int | None) -> Post:
    """A post with these totals."""
    return Post(number, WHO, published, "text", None, dict(totals))


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ([2_340_000, 2_350_000, 2_340_000, 2_350_000], [2_340_000, 2_350_000]),
        ([2_340_000, 2_330_000, 2_320_000], [2_340_000, 2_320_000]),
        ([1_000_000, 999_000, 1_000_000], [1_000_000]),
        ([2_340_000, 2_360_000], [2_340_000, 2_360_000]),
        ([500, 499, 500], [500, 499, 500]),
    ],
)
def test_the_edge_of_a_rounding_step_is_no_movement(polls: Polls, shown: list[int], told: list[int]) -> None:
    rows = []
    for followers in shown:
        step = 10 ** max(len(str(followers)) - 3, 0)
        polls.shown.profile = Profile(WHO, followers, 1, 1, None, None, step)
        rows += polls()
    assert [row["followers"] for row in rows] == told


def test_a_hidden_count_goes_on_from_its_last_value(polls: Polls) -> None:
    increments = []
    for likes in (100, None, None, 130):
        polls.shown.posts = [post(likes=likes)]
        increments += [row["likes"] for row in polls() if row["event_type"] == "engagement"]
    assert increments == [30]


def test_a_post_published_since_the_first_poll_counts_from_zero(polls: Polls) -> None:
    polls.shown.posts = [post(number="old", views=1000)]
    assert [row["event_type"] for row in polls()] == ["profile", "post"]
    new = post(polls.clock.now(), "new", views=70)
    moved = post(START - timedelta(days=400), "moved into view", views=9000)
    polls.shown.posts = [new, *polls.shown.posts, moved]
    rows = polls()
    assert [(row["event_type"], row["post_id"], row.get("views")) for row in rows] == [
        ("post", "new", None),
        ("engagement", "new", 70),
        ("post", "moved into view", None),
    ]


def test_a_post_that_is_gone_and_comes_back_changes_nothing_but_its_growth(polls: Polls) -> None:
    polls.shown.posts = [post(views=100)]
    polls()
    polls.shown.posts = []
    assert polls() == []
    polls.shown.posts = [post(views=105)]
    assert [(row["event_type"], row["views"]) for row in polls()] == [("engagement", 5)]


def test_nothing_happened_after_it_was_read(polls: Polls) -> None:
    ahead = polls.clock.now() + timedelta(minutes=4)
    polls.shown.posts = [post(ahead, views=1)]
    [_, row] = polls()
    assert row["event_time"] == int(START.timestamp() * 1000)


def test_the_rate_of_change_and_the_cost_are_learned(polls: Polls) -> None:
    for views in (0, 60, 180):
        polls.shown.posts = [post(views=views)]
        polls()
    account = polls.state.account(WHO)
    assert account.change_per_h == pytest.approx(60 + 0.3 * 60)
    assert account.polled_ms == int((START + timedelta(hours=2)).timestamp() * 1000)


def test_comments_are_read_until_known_ones_come(polls: Polls) -> None:
    polls.shown.comments = [str(n) for n in range(8)]
    assert len(polls()) == 1 + 8
    polls.shown.comments = ["new", *polls.shown.comments]
    polls.shown.cursors = []
    assert [row["event_id"] for row in polls()] == ["yt:new:comment"]
    assert polls.shown.cursors == [None, "2"]


def test_a_poll_given_up_on_the_way_is_read_to_the_end_by_the_next(polls: Polls) -> None:
    polls.shown.comments, polls.shown.torn_at = [str(n) for n in range(8)], "4"
    with pytest.raises(ServiceUnavailableError):
        polls()
    polls.clock.sleep(7200)
    polls.shown.torn_at = None
    polls()
    assert polls.shown.cursors[3:] == [None, "2", "4", "6"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (12, 12),
        ("12", 12),
        ("1.2万", 12_000),
        ("3亿", 300_000_000),
        (None, None),
        ("-", None),
        ("NaN", None),
        (-1, None),
    ],
)
def test_counts_as_platforms_write_them(text: object, count: int | None) -> None:
    assert count_of(text) == count


def test_weibos_rounded_followers_and_eastern_times() -> None:
    user = {"id": 1, "followers_count": "123.4万", "created_at": "Tue May 31 17:46:55 +0800 2011"}
    profile = weibo.profile_of(user)
    assert (profile.followers, profile.followers_step) == (1_234_000, 1_000)
    assert profile.created_at == datetime(2011, 5, 31, 9, 46, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    ("judge", "status", "body", "outcome"),
    [
        (youtube.judge, 403, {"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}}, "again"),
        (youtube.judge, 403, {"error": {"code": 403, "errors": [{"reason": "commentsDisabled"}]}}, "gone"),
        (youtube.judge, 403, {"error": {"code": 403, "errors": "?"}}, "refused"),
        (youtube.judge, 500, {}, "again"),
        (tiktok.judge, 429, {"error": {"code": "daily_quota_limit_exceeded"}}, "spent"),
        (tiktok.judge, 429, {"error": {"code": "rate_limit_exceeded"}}, "again"),
        (tiktok.judge, 200, {"error": {"code": "invalid_params"}}, "refused"),
        (tiktok.judge, 200, {"error": {"code": "ok"}}, "ok"),
        (tiktok.judge, 401, {"error": {"code": "access_token_invalid"}}, "token"),
        (weibo.judge, 403, {"error_code": "10023", "error": "User requests out of rate limit!"}, "spent"),
        (weibo.judge, 400, {"error_code": 10001, "error": "System error"}, "again"),
        (weibo.judge, 400, {"error_code": 20101}, "gone"),
        (weibo.judge, 200, {"error_code": 21327, "error": "expired_token"}, "refused"),
    ],
)
def test_what_an_answer_means(judge: Any, status: int, body: dict[str, Any], outcome: str) -> None:
    assert judge(status, body)[0] == outcome


def _tiktok(answer: Any) -> TiktokConnector:
    settings = TiktokSettings(client_key=SecretStr("key"), client_secret=SecretStr("s3cret"))
    return TiktokConnector(settings, httpx.MockTransport(answer), clock=FakeClock())


def test_a_token_that_ends_is_renewed_once() -> None:
    tokens: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if "oauth" in request.url.path:
            tokens.append(f"clt.{len(tokens)}")
            return httpx.Response(200, json={"access_token": tokens[-1]})
        if request.headers["Authorization"] != "Bearer clt.1":
            return httpx.Response(401, json={"error": {"code": "access_token_invalid"}})
        return httpx.Response(200, json={"data": {"follower_count": "7"}, "error": {"code": "ok"}})

    async def ask() -> list[Profile]:
        connector = _tiktok(answer)
        await connector.authenticate()
        return await connector.fetch_profile([WHO])

    assert [profile.followers for profile in asyncio.run(ask())] == [7]
    assert tokens == ["clt.0", "clt.1"]


def test_a_wait_longer_than_our_patience_is_not_waited() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(429, headers={"Retry-After": "3600"})

    with pytest.raises(InvalidInputError, match="TikTok refused /v2/oauth/token/: HTTP 429"):
        asyncio.run(_tiktok(answer).authenticate())
    assert len(asked) == 1


def test_longer_times_are_ranges_of_thirty_days() -> None:
    ranges = []

    def answer(request: httpx.Request) -> httpx.Response:
        if "oauth" in request.url.path:
            return httpx.Response(200, json={"access_token": "clt"})
        body = json.loads(request.content)
        ranges.append((body["start_date"], body["end_date"]))
        return httpx.Response(200, json={"data": {"videos": [], "has_more": False}, "error": {"code": "ok"}})

    async def read() -> None:
        settings = TiktokSettings(client_key=SecretStr("key"), client_secret=SecretStr("s3cret"), days=70)
        connector = TiktokConnector(settings, httpx.MockTransport(answer), clock=FakeClock())
        page: Page[Post] = await connector.fetch_posts(WHO)
        while page.cursor:
            page = await connector.fetch_posts(WHO, page.cursor)

    asyncio.run(read())
    assert ranges == [("20251207", "20260105"), ("20251107", "20251206"), ("20251027", "20251106")]


def test_an_attempt_that_the_quota_refuses_is_not_made() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"access_token": "clt"})

    def spend(units: int) -> None:
        if units:
            raise QuotaSpentError("none are left")

    async def ask() -> None:
        settings = TiktokSettings(client_key=SecretStr("key"), client_secret=SecretStr("s3cret"))
        connector = TiktokConnector(settings, httpx.MockTransport(answer), spend, FakeClock())
        await connector.authenticate()
        await connector.fetch_profile([WHO])

    with pytest.raises(QuotaSpentError):
        asyncio.run(ask())
    assert asked == ["/v2/oauth/token/"]

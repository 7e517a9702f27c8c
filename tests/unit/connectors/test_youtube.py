"""YouTube's answers as events: what is hidden stays unknown, only changes are sent, and the key stays secret."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
import stamina
from pydantic import SecretStr

from kolray.connectors.base import hashed, increments
from kolray.connectors.poll import poll_accounts
from kolray.connectors.poll_run import to_events
from kolray.connectors.recordings import RecordedYoutube
from kolray.connectors.state import PollState
from kolray.connectors.youtube import YoutubeConnector, post_of, profile_of
from kolray.errors import InvalidInputError, QuotaSpentError, ServiceUnavailableError, SettingsError
from kolray.events import SOCIAL_SCHEMA, invalid_reason
from kolray.settings import YoutubeSettings
from kolray.testing.clock import FakeClock

KEY = "AIza-secret-key"
SETTINGS = YoutubeSettings(api_key=SecretStr(KEY))
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
CHANNEL = "UCone"
Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def channel(subscribers: str = "1200", hidden: bool = False, number: str = CHANNEL) -> dict[str, Any]:
    """A channel as the API shows it."""
    statistics = {"viewCount": "99", "videoCount": "7", "hiddenSubscriberCount": hidden, "subscriberCount": subscribers}
    return {"id": number, "snippet": {"publishedAt": "2020-02-03T04:05:06.5Z"}, "statistics": statistics}


def video(number: int = 1, views: int = 100, likes: int | None = 10, comments: int = 1) -> dict[str, Any]:
    """A video with its totals."""
    counts = {"viewCount": views, "likeCount": likes, "commentCount": comments}
    return {
        "id": f"v{number}",
        "snippet": {"channelId": CHANNEL, "publishedAt": "2026-01-04T00:00:00Z", "title": f"Video {number}"},
        "statistics": {name: str(value) for name, value in counts.items() if value is not None},
    }


def thread(number: int = 1, author: Any = "UCfan") -> dict[str, Any]:
    """A comment."""
    top = {
        "textOriginal": "hay quá",
        "textDisplay": "<b>hay quá</b>",
        "publishedAt": "2026-01-05T01:00:00Z",
        "authorChannelId": {"value": author},
    }
    snippet = {"channelId": CHANNEL, "videoId": "v1", "topLevelComment": {"snippet": top}}
    return {"id": f"t{number}", "snippet": snippet}


class Recordings:
    """A folder of recorded answers that a test writes anew before each poll."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "recorded"
        self.folder.mkdir()
        self.state = folder / "state.db"

    def write(self, channels: list[Any], videos: list[Any] = (), threads: list[Any] = ()) -> None:  # type: ignore[assignment]
        kinds = {"channel": channels, "video": list(videos), "commentThread": list(threads)}
        for kind, items in kinds.items():
            body = {"kind": f"youtube#{kind}ListResponse", "items": items}
            (self.folder / f"{kind}.json").write_text(json.dumps(body))

    def poll(self, now: datetime = NOW, keep: bool = False) -> list[dict[str, Any]]:
        """The events of a poll; ``keep``: they are not acknowledged, as after a crash."""
        with closing(PollState(self.state)) as state:
            connector = YoutubeConnector(SETTINGS, RecordedYoutube(self.folder))
            asyncio.run(poll_accounts(connector, [CHANNEL], state, FakeClock(now)))
            upto, rows = state.pending()
            if not keep:
                state.forget_pending(upto)
        return rows


@pytest.fixture
def recordings(tmp_path: Path) -> Recordings:
    return Recordings(tmp_path)


def asking(answer: Answer, call: Callable[[YoutubeConnector], Awaitable[Any]]) -> Any:
    """What a call of the connector gives when the API answers so."""

    async def run() -> Any:
        connector = YoutubeConnector(SETTINGS, httpx.MockTransport(answer))
        try:
            return await call(connector)
        finally:
            await connector.close()

    return asyncio.run(run())


def profiles(answer: Answer) -> Any:
    """The profile of one channel."""
    return asking(answer, lambda connector: connector.fetch_profile([CHANNEL]))


def test_counts_are_strings_and_a_hidden_number_is_unknown() -> None:
    shown, hidden = profile_of(channel("1200")), profile_of(channel("0", hidden=True))
    assert (shown.followers, shown.posts) == (1200, 7)
    assert shown.created_at == datetime(2020, 2, 3, 4, 5, 6, 500_000, tzinfo=UTC)
    assert (hidden.followers, hidden.following, hidden.verified) == (None, None, None)
    assert profile_of({"id": "UCbare"}).posts is None


def test_likes_that_are_switched_off_are_unknown() -> None:
    assert post_of(video(likes=None)).totals == {"views": 100, "likes": None, "comments": 1}
    with pytest.raises(InvalidInputError, match="v1 without a time of publication"):
        post_of(video() | {"snippet": {"channelId": CHANNEL, "publishedAt": None}})


def test_a_first_poll_is_a_valid_frame_with_hashed_authors(recordings: Recordings) -> None:
    recordings.write([channel("0", hidden=True)], [video()], [thread()])
    frame = to_events(recordings.poll(), "x").frame
    assert frame.schema == pl.Schema(SOCIAL_SCHEMA)
    assert frame.filter(invalid_reason("social").is_not_null()).is_empty()
    assert frame["event_type"].to_list() == ["profile", "post", "comment"]
    assert frame["followers"].to_list() == [None, None, None]
    comment = frame.row(2, named=True)
    with closing(PollState(recordings.state)) as state:
        assert comment["author_id"] == hashed(state.salt, "UCfan")
    assert comment["text"] == "hay quá"
    assert "UCfan" not in str(frame.rows())
    assert b"UCfan" not in recordings.state.read_bytes()


def test_an_author_who_is_unknown_stays_so(recordings: Recordings) -> None:
    recordings.write([channel()], [], [thread(author=None)])
    assert [row["author_id"] for row in recordings.poll() if row["event_type"] == "comment"] == [None]
    assert hashed("salt", "UCfan") != hashed("other", "UCfan")


def test_only_changes_are_sent(recordings: Recordings) -> None:
    recordings.write([channel()], [video(1), video(2)], [thread(1)])
    first = recordings.poll()
    assert recordings.poll() == []
    recordings.write([channel("1300")], [video(1, views=150, likes=12), video(2)], [thread(1), thread(2)])
    second = recordings.poll()
    assert [row["event_type"] for row in second] == ["profile", "engagement", "comment"]
    grown = second[1]
    assert (grown["views"], grown["likes"], grown.get("comments"), grown["post_id"]) == (50, 2, None, "v1")
    ids = [row["event_id"] for row in (*first, *second)]
    assert len(set(ids)) == len(ids)


def test_a_count_that_fell_is_a_correction(recordings: Recordings) -> None:
    recordings.write([channel()], [video(views=100, likes=10)])
    recordings.poll()
    recordings.write([channel()], [video(views=90, likes=11)])
    rows = recordings.poll()
    assert [row["event_type"] for row in rows] == ["correction"]
    assert (rows[0]["views"], rows[0]["likes"]) == (-10, 1)
    assert to_events(rows, "x").frame.filter(invalid_reason("social").is_not_null()).is_empty()


def test_a_count_that_appears_is_a_baseline(recordings: Recordings) -> None:
    recordings.write([channel()], [video(likes=None)])
    recordings.poll()
    recordings.write([channel()], [video(likes=5000)])
    assert recordings.poll() == []
    recordings.write([channel()], [video(likes=5003)])
    assert [row["likes"] for row in recordings.poll()] == [3]
    assert increments({"likes": 3}, {"likes": None}) == ("engagement", {})


def test_a_crash_before_sending_repeats_the_same_events(recordings: Recordings) -> None:
    recordings.write([channel()], [video()])
    recordings.poll()
    recordings.write([channel("1300")], [video(views=150)])
    made = recordings.poll(keep=True)
    assert [row["event_id"] for row in made] == ["yt:UCone:profile:2", "yt:v1:totals:1"]
    assert recordings.poll() == made
    assert recordings.poll() == []


def test_a_damaged_state_says_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "youtube.db"
    file.write_text("no database, " * 100)
    with pytest.raises(SettingsError, match="remove it to poll from scratch"):
        PollState(file)
    assert PollState(tmp_path / "absent.db").pending() == (0, [])


def test_every_page_is_read(recordings: Recordings) -> None:
    recordings.write([channel()], [video(n) for n in range(120)], [thread(n) for n in range(101)])
    kinds = pl.Series([row["event_type"] for row in recordings.poll()]).value_counts()
    assert dict(kinds.iter_rows()) == {"profile": 1, "post": 120, "comment": 101}


def test_a_cursor_asks_for_the_next_page() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("pageToken"))
        return httpx.Response(200, json={"items": [thread()], "nextPageToken": "two"})

    page = asking(answer, lambda connector: connector.fetch_comments(CHANNEL, [], None))
    assert page.cursor == "two"
    asking(answer, lambda connector: connector.fetch_comments(CHANNEL, [], page.cursor))
    assert asked == [None, "two"]


def test_fifty_channels_a_call() -> None:
    sizes = []

    def answer(request: httpx.Request) -> httpx.Response:
        ids = request.url.params["id"].split(",")
        sizes.append(len(ids))
        return httpx.Response(200, json={"items": [channel(number=number) for number in ids]})

    found = asking(answer, lambda connector: connector.fetch_profile([f"UC{n}" for n in range(120)]))
    assert sizes == [50, 50, 20]
    assert len(found) == 120


def test_recordings_of_nothing(recordings: Recordings, tmp_path: Path) -> None:
    (recordings.folder / "empty.json").write_text('{"kind": "youtube#channelListResponse"}')
    (recordings.folder / "other.json").write_text('["no response"]')
    assert recordings.poll() == []
    with pytest.raises(InvalidInputError, match="no such folder"):
        RecordedYoutube(tmp_path / "absent")


def refusal(status: int, reason: str, message: str) -> httpx.Response:
    """An error as the API words it."""
    return httpx.Response(status, json={"error": {"code": status, "message": message, "errors": [{"reason": reason}]}})


def test_a_refusal_carries_the_reason_and_never_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return refusal(403, "quotaExceeded", "The request cannot be completed")

    with pytest.raises(QuotaSpentError, match="refused channels: 403 quotaExceeded: The request cannot") as error:
        profiles(answer)
    assert len(seen) == 1
    assert seen[0].headers["X-Goog-Api-Key"] == KEY
    assert KEY not in str(seen[0].url)
    assert KEY not in str(error.getrepr(chain=True))
    assert KEY not in "".join(str(record.__dict__) for record in caplog.records)


@pytest.mark.parametrize("headers", [{"Retry-After": "1"}, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {}])
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_api_is_asked_again(status: int, headers: dict[str, str]) -> None:
    answers = [httpx.Response(status, headers=headers), httpx.Response(200, json={"items": [channel()]})]
    assert [profile.followers for profile in profiles(lambda _: answers.pop(0))] == [1200]
    assert not answers


def test_an_api_that_stays_busy_is_given_up() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return refusal(429, "rateLimitExceeded", "slow down")

    with pytest.raises(InvalidInputError, match="429 rateLimitExceeded: slow down"):
        profiles(answer)
    assert len(asked) == 3


def test_a_network_that_is_away() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"no route to {request.url}")

    with pytest.raises(ServiceUnavailableError, match="YouTube does not answer") as error:
        profiles(answer)
    assert KEY not in str(error.value)


@pytest.mark.parametrize("body", ["<html>", "[]", '{"error": "denied"}', "{}"])
def test_a_refusal_without_the_usual_body(body: str) -> None:
    with pytest.raises(InvalidInputError, match="YouTube refused channels: HTTP 400"):
        profiles(lambda _: httpx.Response(400, text=body))


def test_an_answer_that_is_no_json() -> None:
    with pytest.raises(InvalidInputError, match="channels with something that is not JSON"):
        profiles(lambda _: httpx.Response(200, text="<html>sign in</html>"))


def test_the_network_needs_a_key() -> None:
    async def run(settings: YoutubeSettings) -> None:
        connector = YoutubeConnector(settings)
        try:
            await connector.authenticate()
        finally:
            await connector.close()

    with pytest.raises(InvalidInputError, match="KOLRAY_YOUTUBE__API_KEY"):
        asyncio.run(run(YoutubeSettings()))
    asyncio.run(run(SETTINGS))


def test_an_item_that_cannot_be_read_is_a_dead_letter_once_and_costs_no_other(recordings: Recordings) -> None:
    untimed, unknown = video(3), thread(3)
    untimed["snippet"]["publishedAt"] = "yesterday"
    unknown["snippet"]["topLevelComment"]["snippet"]["publishedAt"] = 5
    shown = ([channel()], [video(1), untimed, video(2)], [thread(1), unknown, thread(2)])
    recordings.write(*shown)
    judged = to_events(recordings.poll(), "youtube")
    kinds = judged.frame["event_type"].to_list()
    assert (kinds.count("post"), kinds.count("comment")) == (2, 2)
    told = [json.loads(value) for value in judged.dead["value"]]
    assert [(one["reason"].split(":")[1], json.loads(one["item"])["id"]) for one in told] == [
        (" ValueError", "v3"),
        (" AttributeError", "t3"),
    ]
    recordings.write(*shown)
    assert recordings.poll(NOW + timedelta(hours=2)) == []

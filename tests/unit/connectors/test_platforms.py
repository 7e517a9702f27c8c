"""Three connectors against their platforms' fake servers, over HTTP: what arrives is what happened, whatever fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import stamina
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kolray.connectors.base import Connector, Row
from kolray.connectors.poll_run import to_events
from kolray.connectors.recordings import YoutubeResources
from kolray.connectors.tiktok import TiktokConnector
from kolray.connectors.weibo import WeiboConnector
from kolray.connectors.youtube import YoutubeConnector
from kolray.errors import InvalidInputError, QuotaSpentError
from kolray.events import invalid_reason
from kolray.settings import TiktokSettings, WeiboSettings, YoutubeSettings
from kolray.testing.clock import FakeClock
from kolray.testing.platforms import FakeWorld, Faults, fake_youtube
from tests.unit.connectors.platforms import PLATFORMS, Platform, Poller

EACH = pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)


@pytest.fixture(autouse=True, scope="module")
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4):
        yield


def expected(platform: Platform, world: FakeWorld, polls: list[datetime]) -> dict[tuple[int, str], int]:
    """(post, count) → what its increments must add up to, from the world alone."""
    found = {}
    for post in world.posts:
        times = [at for at in polls if platform.lists(post, at)]
        for name in platform.counts if times else ():
            series = [post.totals(at)[name] for at in times]
            shown = [value for value in series if value is not None]
            if shown:
                began_at_zero = post.published_at > polls[0] and series[0] is not None
                found[post.number, name] = shown[-1] - (0 if began_at_zero else shown[0])
    return {key: total for key, total in found.items() if total}


def added_up(events: list[Row]) -> dict[tuple[int, str], int]:
    """(post, count) → the sum of its increments."""
    sums: Counter[tuple[int, str]] = Counter()
    for row in events:
        for name in ("views", "likes", "comments", "shares"):
            if row.get(name):
                sums[number_of(row["post_id"]), name] += row[name]
    return {key: total for key, total in sums.items() if total}


def number_of(post_id: str) -> int:
    """A world's number of a post, from any platform's id."""
    return int(post_id.removeprefix("v")) % 1000


def check(platform: Platform, world: FakeWorld, poller: Poller, polls: list[datetime]) -> None:
    """Sums, comments and profiles are those of the world."""
    events = poller.events()
    assert to_events(events, "x").frame.filter(invalid_reason("social").is_not_null()).is_empty()
    assert added_up(events) == expected(platform, world, polls)
    for row in events:
        assert row["event_time"] <= polls[-1].timestamp() * 1000
        if row["event_type"] == "correction":
            assert [name for name in platform.counts if row.get(name, 0) < 0] == ["likes"]


@EACH
@settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate])
@given(
    seed=st.integers(0, 10_000),
    hours=st.lists(st.floats(0.2, 20), min_size=1, max_size=4),
    crashes=st.lists(st.integers(0, 40), min_size=5, max_size=5),
    share=st.sampled_from((0.0, 0.2)),
    skew_s=st.sampled_from((0, 240)),
)
def test_increments_add_up_to_the_totals_over_failures_and_crashes(
    platform: Platform, seed: int, hours: list[float], crashes: list[int], share: float, skew_s: int
) -> None:
    clock = FakeClock()
    world = FakeWorld(seed, clock, n_posts=4, skew_s=skew_s)
    with TemporaryDirectory() as folder, platform.serve(world, Faults(seed, share)) as url:
        poller = Poller(platform, url, world, clock, Path(folder) / "state.db")
        polls = []
        for hours_passed, crash_at in zip([0.0, *hours], crashes, strict=False):
            clock.sleep(hours_passed * 3600)
            polls.append(world.now())
            poller.poll(crash_at)
        check(platform, world, poller, polls)


@EACH
def test_every_comment_on_a_new_post_arrives_once(platform: Platform, tmp_path: Path) -> None:
    clock = FakeClock()
    world = FakeWorld(3, clock, n_accounts=1, n_posts=3, steady=True)
    with platform.serve(world, Faults()) as url:
        poller = Poller(platform, url, world, clock, tmp_path / "state.db")
        for _ in range(3):
            poller.poll()
            clock.sleep(3600 * 15)
        poller.poll()
    [new] = [post for post in world.posts if post.published_at > clock.now() - timedelta(hours=45)]
    comments = [row for row in poller.events() if row["event_type"] == "comment"]
    mine = [row for row in comments if number_of(row["post_id"]) == new.number]
    assert len(mine) == len(world.comments_of(new)) > 3
    assert all(row["text"] for row in comments)


@EACH
def test_a_poll_that_was_stopped_goes_on_at_its_cursor(platform: Platform, tmp_path: Path) -> None:
    clock = FakeClock()
    world = FakeWorld(1, clock, n_accounts=2, n_posts=8, steady=True)
    whole, parts = Counter[str](), Counter[str]()

    def count(which: Counter[str]) -> object:
        return lambda units: which.update({"units": units})

    with platform.serve(world, Faults()) as url:
        poller = Poller(platform, url, world, clock, tmp_path / "whole.db")
        poller.poll(None, count(whole))  # type: ignore[arg-type]
        stopped = Poller(platform, url, world, clock, tmp_path / "parts.db")
        stopped.poll(12, count(parts))  # type: ignore[arg-type]
    assert whole["units"] <= parts["units"] <= whole["units"] + 2  # at most the page that was read and lost
    hashed_apart = {"author_id": None}  # each file has a salt of its own
    assert [row | hashed_apart for row in stopped.events()] == [row | hashed_apart for row in poller.events()]


@EACH
def test_a_spent_quota_stops_and_the_next_day_goes_on(platform: Platform, tmp_path: Path) -> None:
    clock = FakeClock()
    world, faults = FakeWorld(2, clock, n_accounts=4, steady=True), Faults(units=6)
    with platform.serve(world, faults) as url:
        poller = Poller(platform, url, world, clock, tmp_path / "state.db")
        with pytest.raises(QuotaSpentError, match="poll again after"):
            poller.poll()
        faults.units = None
        poller.poll()
    assert {row["kol_id"] for row in poller.events()} == set(poller.accounts)


@pytest.mark.parametrize(
    ("connector", "setting"),
    [
        (YoutubeConnector(YoutubeSettings()), "KOLRAY_YOUTUBE__API_KEY"),
        (TiktokConnector(TiktokSettings()), "KOLRAY_TIKTOK__CLIENT_SECRET"),
        (WeiboConnector(WeiboSettings()), "KOLRAY_WEIBO__ACCESS_TOKEN"),
    ],
)
def test_missing_credentials_are_named(connector: Connector, setting: str) -> None:
    with pytest.raises(InvalidInputError, match=setting):
        asyncio.run(connector.authenticate())


@EACH
def test_wrong_credentials_are_refused_and_not_shown(platform: Platform, tmp_path: Path) -> None:
    clock = FakeClock()
    world = FakeWorld(1, clock)
    with platform.serve(world, Faults()) as url, pytest.raises(InvalidInputError, match="refused") as error:
        Poller(replace(platform, connect=platform.stranger), url, world, clock, tmp_path / "state.db").poll()
    assert "wrong-secret" not in str(error.getrepr(chain=True))


@EACH
def test_an_account_that_is_not_there_changes_nothing(platform: Platform, tmp_path: Path) -> None:
    clock = FakeClock()
    world = FakeWorld(1, clock, n_accounts=1)
    with platform.serve(world, Faults()) as url:
        poller = Poller(platform, url, world, clock, tmp_path / "state.db")
        poller.accounts = [platform.account_id(77), *poller.accounts]
        poller.poll()
    assert {row["kol_id"] for row in poller.events()} == {platform.account_id(0)}


@pytest.mark.realdata
def test_the_recorded_answers_are_served_unchanged(data: Path, tmp_path: Path) -> None:
    folder = data / "youtube_api"
    recorded = YoutubeResources.recorded(folder)
    platform, clock = PLATFORMS[0], FakeClock()
    world = FakeWorld(1, clock)
    with fake_youtube(recordings=folder) as url:
        poller = Poller(platform, url, world, clock, tmp_path / "state.db")
        poller.accounts = sorted(recorded.channels)
        poller.poll()
    assert {row["kol_id"] for row in poller.events() if row["event_type"] == "profile"} == set(recorded.channels)


def test_times_of_a_world_are_those_of_its_clock() -> None:
    clock = FakeClock()
    world = FakeWorld(1, clock, skew_s=60)
    assert world.now() - clock.now() == timedelta(seconds=60)

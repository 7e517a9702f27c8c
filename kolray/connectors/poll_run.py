"""Polls accounts of a platform and sends what changed to Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import polars as pl

from kolray.clock import Clock, SystemClock
from kolray.connectors.base import Connector, Row
from kolray.connectors.files import FileEvents, read_rows
from kolray.connectors.plan import Planned, candidates_of, plan
from kolray.connectors.poll import poll_accounts
from kolray.connectors.producer import EventProducer
from kolray.connectors.quota import Meter, Quota
from kolray.connectors.recordings import RecordedYoutube
from kolray.connectors.state import AccountState, PollState
from kolray.connectors.tiktok import TiktokConnector
from kolray.connectors.weibo import WeiboConnector
from kolray.connectors.youtube import YoutubeConnector
from kolray.errors import InvalidInputError
from kolray.events import TIME
from kolray.observability.runs import Runs
from kolray.schemas.registry import open_registry
from kolray.settings import Settings

PLATFORMS = ("youtube", "tiktok", "weibo")


def state_file(settings: Settings, platform: str) -> Path:
    """Where the polls of a platform keep what they remember."""
    return settings.home / "poll" / f"{platform}.db"


def polled(settings: Settings, platform: str) -> closing[PollState]:
    """What the polls of a platform remember, to be closed."""
    return closing(PollState(state_file(settings, platform)))


def quota_of(settings: Settings, platform: str) -> Quota:
    """What the platform lets us ask."""
    return {
        "youtube": Quota(settings.youtube.units, "day", "America/Los_Angeles"),
        "tiktok": Quota(settings.tiktok.units, "day"),
        "weibo": Quota(settings.weibo.units, "hour"),
    }[platform]


def poll_platform(
    settings: Settings,
    platform: str,
    accounts: Sequence[str],
    recordings: Path | None = None,
    clock: Clock | None = None,
    denied: Callable[[str], bool] = lambda _: False,
) -> dict[str, int]:
    """Polls accounts (default: every recorded channel) and produces what changed; returns counts by event type.

    Args:
        recordings: folder of recorded YouTube responses instead of the network.
        denied: accounts that were erased, which are not polled.

    Raises:
        InvalidInputError: no accounts, or the platform refused.
        QuotaSpentError: the quota is spent; what was read until then has been sent.
    """
    recorded = RecordedYoutube(recordings) if recordings else None
    named = list(accounts) or (sorted(recorded.channels) if recorded else [])
    if not named:
        raise InvalidInputError("name accounts to poll, or recorded YouTube responses with --recordings")
    wanted, clock = [account for account in named if not denied(account)], clock or SystemClock()
    with Runs(settings.home, clock).record(f"ingest {platform}") as counts, polled(settings, platform) as state:
        meter = Meter(quota_of(settings, platform), state, clock)
        try:
            asyncio.run(_poll(_connector(settings, platform, meter, clock, recorded), wanted, state, clock, meter))
        finally:
            counts.update(units=meter.units)
            sent = send_pending(settings, state, platform)
            counts.update(sent)
    return sent


def plan_platform(
    settings: Settings, platform: str, known: Sequence[str], clock: Clock | None = None
) -> tuple[list[Planned], int]:
    """When to poll each account that was polled before or is ``known``, and the units left until the quota's reset."""
    clock = clock or SystemClock()
    quota, now = quota_of(settings, platform), clock.now()
    with polled(settings, platform) as state:
        left = Meter(quota, state, clock).left()
        accounts = dict.fromkeys(known, AccountState()) | state.accounts()
    return plan(candidates_of(accounts, now), quota, left, now), left


def _connector(
    settings: Settings, platform: str, meter: Meter, clock: Clock, recorded: RecordedYoutube | None
) -> Connector:
    if recorded:
        return YoutubeConnector(settings.youtube, recorded)
    if platform == "youtube":
        return YoutubeConnector(settings.youtube, spend=meter.spend)
    if platform == "tiktok":
        return TiktokConnector(settings.tiktok, spend=meter.spend, clock=clock)
    return WeiboConnector(settings.weibo, spend=meter.spend)


async def _poll(connector: Connector, accounts: Sequence[str], state: PollState, clock: Clock, meter: Meter) -> None:
    try:
        await connector.authenticate()
        await poll_accounts(connector, accounts, state, clock, lambda: meter.units)
    finally:
        await connector.close()


def send_pending(settings: Settings, state: PollState, platform: str) -> dict[str, int]:
    """Produces what was made and perhaps not yet sent, and forgets it when the broker has it; counts by event type.

    What breaks a rule of events, or could not be read, goes to the dead letters (``dead_letters``).
    """
    upto, rows = state.pending()
    if not rows:
        return {}
    events = to_events(rows, platform)
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    producer.send("social", events.frame)
    if events.dead.height:
        now = pl.lit(SystemClock().now()).cast(TIME).alias("at")
        producer.send_dead_letters(events.dead.with_columns(now))
    producer.flush()
    state.forget_pending(upto)
    counts = dict(events.frame.group_by("event_type").len().sort("event_type").iter_rows())
    return counts | ({"dead_letters": events.dead.height} if events.dead.height else {})


def to_events(rows: Sequence[Row], platform: str) -> FileEvents:
    """Rows of a poll, judged as rows of files are."""
    return read_rows(rows, "social", f"poll-{platform}")

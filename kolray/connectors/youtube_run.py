"""One poll of YouTube channels: what changed since the last poll becomes events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from kolray.clock import Clock, SystemClock, to_ms
from kolray.connectors.base import Comment, Connector, PollState, Post, Profile, Row, hashed, increments
from kolray.connectors.producer import EventProducer
from kolray.connectors.recordings import RecordedYoutube
from kolray.connectors.youtube import YoutubeConnector
from kolray.errors import InvalidInputError
from kolray.events import SOCIAL_SCHEMA
from kolray.schemas.registry import open_registry
from kolray.settings import Settings

PLATFORM = "youtube"


def poll_youtube(
    settings: Settings,
    channels: Sequence[str],
    recordings: Path | None,
    clock: Clock | None = None,
    denied: Callable[[str], bool] = lambda _: False,
) -> dict[str, int]:
    """Polls the channels (default: every recorded one) and produces what changed; returns counts by event type.

    Args:
        denied: channels that were erased, which are not polled.

    Raises:
        InvalidInputError: no channels and no recordings, or YouTube refused.
    """
    transport = RecordedYoutube(recordings) if recordings else None
    named = list(channels) or (sorted(transport.channels) if transport else [])
    if not named:
        raise InvalidInputError("name channels with --channel, or recorded responses with --recordings")
    wanted = [channel for channel in named if not denied(channel)]
    state = PollState.load(settings.home / "poll" / "youtube.json")
    rows = asyncio.run(_poll(YoutubeConnector(settings.youtube, transport), wanted, state, clock or SystemClock()))
    state.pending += rows
    state.save()  # before producing: a crash from here on sends the same events again
    frame = to_frame(state.pending)
    producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
    producer.send("social", frame)
    producer.flush()
    state.pending = []
    state.save()
    return dict(frame.group_by("event_type").len().sort("event_type").iter_rows())


async def _poll(connector: YoutubeConnector, channels: Sequence[str], state: PollState, clock: Clock) -> list[Row]:
    try:
        await connector.authenticate()
        return await poll(connector, channels, state, clock.now())
    finally:
        await connector.close()


async def poll(connector: Connector, accounts: Sequence[str], state: PollState, now: datetime) -> list[Row]:
    """Events since the last poll, as columns; ``state`` moves on."""
    rows = [row for profile in await connector.fetch_profile(accounts) if (row := _profile(profile, state, now))]
    for account in accounts:
        for post in await connector.fetch_posts(account):
            rows += _post(post, state, now)
        for comment in await connector.fetch_comments(account):
            rows += _comment(comment, state)
    return rows


def _profile(profile: Profile, state: PollState, now: datetime) -> Row | None:
    """A profile event if anything changed."""
    counts = {"followers": profile.followers, "following": profile.following, "posts": profile.posts}
    key = f"yt:{profile.account_id}:profile"
    if state.changes(key, counts) is None:
        return None
    created = None if profile.created_at is None else to_ms(profile.created_at)
    more = {"verified": profile.verified, "account_created_at": created, **counts}
    return _row(state.next_id(key), profile.account_id, "profile", now) | more


def _post(post: Post, state: PollState, now: datetime) -> list[Row]:
    """The post at first sight, later what its counts grew by; the first totals are the baseline."""
    key = f"yt:{post.post_id}:totals"
    before = state.changes(key, post.totals)
    if before is None:
        return []
    if not before:
        row = _row(f"yt:{post.post_id}:post", post.account_id, "post", post.published_at)
        return [row | {"post_id": post.post_id, "text": post.text, "lang": post.lang}]
    kind, grown = increments(before, post.totals)
    if not grown:
        return []
    return [_row(state.next_id(key), post.account_id, kind, now) | {"post_id": post.post_id, **grown}]


def _comment(comment: Comment, state: PollState) -> list[Row]:
    if state.changes(f"yt:{comment.comment_id}:comment", {"at": to_ms(comment.at)}) is None:
        return []
    row = _row(f"yt:{comment.comment_id}:comment", comment.account_id, "comment", comment.at)
    author = hashed(PLATFORM, comment.author)
    return [row | {"post_id": comment.post_id, "author_id": author, "text": comment.text}]


def _row(event_id: str, account_id: str, event_type: str, at: datetime) -> Row:
    identity = {"event_id": event_id, "kol_id": account_id, "platform": PLATFORM}
    return identity | {"event_type": event_type, "event_time": to_ms(at)}


def to_frame(rows: list[Row]) -> pl.DataFrame:
    """Rows as ``SOCIAL_SCHEMA``; times are ms since the epoch."""
    raw = {name: pl.Int64 if isinstance(dtype, pl.Datetime) else dtype for name, dtype in SOCIAL_SCHEMA.items()}
    full = [{name: row.get(name) for name in raw} for row in rows]
    return pl.DataFrame(full, schema=raw, orient="row").cast(pl.Schema(SOCIAL_SCHEMA))

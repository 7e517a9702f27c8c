"""What polls of platforms remember: quotas, accounts, and events that are not in Kafka yet."""

from __future__ import annotations

from collections.abc import Iterator

from kolray.clock import Clock
from kolray.connectors.poll_run import PLATFORMS, polled, quota_of, state_file
from kolray.connectors.quota import Meter
from kolray.observability.catalog import filled
from kolray.observability.metric import Family
from kolray.settings import Settings

NAMES = (
    "kolray_quota_units",
    "kolray_quota_left_units",
    "kolray_quota_reset_timestamp_seconds",
    "kolray_poll_accounts",
    "kolray_poll_pending_events",
    "kolray_poll_newest_timestamp_seconds",
)


def source_metrics(settings: Settings, clock: Clock) -> Iterator[Family]:
    """Of platforms that were ever polled from this home."""
    known = [platform for platform in PLATFORMS if state_file(settings, platform).exists()]
    rows = {platform: _told(settings, platform, clock) for platform in known}
    for place, name in enumerate(NAMES):
        yield filled(name, [((platform,), told[place]) for platform, told in rows.items()])


def _told(settings: Settings, platform: str, clock: Clock) -> tuple[float | None, ...]:
    """The values of ``NAMES``."""
    quota, now = quota_of(settings, platform), clock.now()
    with polled(settings, platform) as state:
        left = Meter(quota, state, clock).left()
        polls = [account.polled_ms for account in state.accounts().values() if account.polled_ms is not None]
        pending = state.count_pending()
    newest = max(polls) / 1000 if polls else None
    return quota.units, left, quota.resets_at(now).timestamp(), len(polls), pending, newest

"""When a reader of Cassandra sees an event: open panes are polled, and counts are compared with what was sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import polars as pl
from cassandra.cluster import Cluster

from kolray.stream.windows import PANE

POLL_S = 0.1
"""Seconds between polls: an event may have been readable that much earlier than it was seen."""
POLLS: dict[str, Any] = {"kol_id": pl.String, "at_ms": pl.Int64, "seen": pl.Int64}


def probe(control: Any, metrics_url: str, kol_ids: Sequence[str]) -> None:
    """A process that polls the open panes of some KOLs until ``control`` says to stop, and sends back ``POLLS``.

    One request a poll, so that reading does not weigh on the writing it measures. ``at_ms`` is the wall time at which
    the answer was there, ``seen`` the events of a KOL in all its panes.
    """
    parts = urlsplit(metrics_url)
    host, _, port = parts.netloc.partition(":")
    cluster = Cluster([host], port=int(port))
    session = cluster.connect(parts.path.strip("/"))
    select = session.prepare(
        f"SELECT kol_id, events, web_events FROM windows WHERE kol_id IN ? AND window = '{PANE}' AND day IN ?"  # noqa: S608  a constant of ours
    )
    today = datetime.now(UTC).date()
    days = [today, today + timedelta(days=1)]  # a run may pass midnight
    found: list[tuple[str, int, int]] = []
    control.send("ready")
    while not control.poll():
        rows = session.execute_async(select, (list(kol_ids), days)).result()
        at_ms = int(time.time() * 1000)
        found += [(kol_id, at_ms, social + web) for kol_id, social, web in rows]
        time.sleep(POLL_S)
    cluster.shutdown()
    polls = pl.DataFrame(found, schema=POLLS, orient="row")
    control.send(polls.group_by("kol_id", "at_ms").agg(pl.col("seen").sum()).sort("at_ms"))


def delays(sent: pl.DataFrame, polls: pl.DataFrame) -> pl.DataFrame:
    """When each event was seen: the n-th of a KOL at the first poll that shows at least n.

    Args:
        sent: ``kol_id, at_ms, n``, oldest first.
        polls: ``kol_id, at_ms, seen``, oldest first.

    Returns:
        one row an event: ``at_ms`` of its sending, ``delay_ms`` (null: it was never seen).
    """
    events = sent.select("kol_id", "at_ms", pl.col("n").cast(pl.Int64)).select(pl.all().repeat_by("n").explode())
    numbered = events.with_columns(number=pl.int_range(1, pl.len() + 1).over("kol_id")).sort("number")
    first = polls.with_columns(pl.col("seen").cum_max().over("kol_id")).unique(
        ["kol_id", "seen"], keep="first", maintain_order=True
    )
    shown = first.select("kol_id", "seen", seen_ms="at_ms").sort("seen")
    met = numbered.join_asof(
        shown, left_on="number", right_on="seen", by="kol_id", strategy="forward", check_sortedness=False
    )
    return met.select("at_ms", delay_ms=pl.col("seen_ms") - pl.col("at_ms")).sort("at_ms")

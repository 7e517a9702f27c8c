"""The two kinds of events, their columns and the rules every valid one keeps.

Events travel as polars frames with the columns below, never as one object per record.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import polars as pl

Kind = Literal["social", "web"]
KINDS: tuple[Kind, ...] = ("social", "web")

SOCIAL_TOPIC = "events.social.raw"
WEB_TOPIC = "events.web.raw"
ALERTS_TOPIC = "alerts.stream"
DLQ_TOPIC = "events.dlq"
LATE_TOPIC = "events.late"
RAW_TOPICS: dict[Kind, str] = {"social": SOCIAL_TOPIC, "web": WEB_TOPIC}
KIND_OF_TOPIC: dict[str, Kind] = {topic: kind for kind, topic in RAW_TOPICS.items()}
TOPICS = (SOCIAL_TOPIC, WEB_TOPIC, ALERTS_TOPIC, DLQ_TOPIC, LATE_TOPIC)

COUNTS = ("impressions", "views", "clicks", "likes", "comments", "shares")
"""Increments since the KOL's previous event, not totals."""

SOCIAL_TYPES = ("post", "engagement", "comment", "profile", "correction")
WEB_TYPES = ("impression", "click", "conversion")

TIME = pl.Datetime("ms", "UTC")
Columns = dict[str, pl.DataType | type[pl.DataType]]

SOCIAL_SCHEMA: Columns = {
    "event_id": pl.String,
    "kol_id": pl.String,
    "platform": pl.String,
    "event_type": pl.String,
    "event_time": TIME,
    "post_id": pl.String,
    "author_id": pl.String,
    **dict.fromkeys(COUNTS, pl.Int64),
    "followers": pl.Int64,
    "following": pl.Int64,
    "posts": pl.Int64,
    "verified": pl.Boolean,
    "account_created_at": TIME,
    "text": pl.String,
    "lang": pl.String,
}

WEB_SCHEMA: Columns = {
    "event_id": pl.String,
    "kol_id": pl.String,
    "campaign_id": pl.String,
    "event_type": pl.String,
    "event_time": TIME,
    "value": pl.Float64,
    "currency": pl.String,
    "visitor": pl.String,
    "consent": pl.Boolean,
    "url": pl.String,
}

SCHEMAS: dict[Kind, Columns] = {"social": SOCIAL_SCHEMA, "web": WEB_SCHEMA}

MAX_COUNT = 1 << 40
"""Largest count or follower number accepted; the stream packs followers into 41 bits."""

EARLIEST_MS = 946_684_800_000
"""2000-01-01: an event before the platforms existed is a unit error (seconds for milliseconds)."""


MAX_ID_BYTES = 128
IDS = ("event_id", "kol_id")
NEEDED_TEXTS: dict[Kind, tuple[str, ...]] = {"social": (*IDS, "platform"), "web": (*IDS, "campaign_id")}
TYPES: dict[Kind, tuple[str, ...]] = {"social": SOCIAL_TYPES, "web": WEB_TYPES}
SIZES = ("followers", "following", "posts")


def kind_of(frame_columns: list[str]) -> Kind:
    """Which kind of event a frame with these columns holds."""
    return "web" if "campaign_id" in frame_columns else "social"


def invalid_reason(kind: Kind) -> pl.Expr:
    """The first rule an event breaks as ``rule: field`` text, or null for a valid event.

    Columns as in ``SCHEMAS[kind]``. Used alike by the stream (dead letters), the connectors and the lake.
    """
    return pl.coalesce(pl.when(broken).then(pl.lit(reason)) for broken, reason in event_rules(kind))


def event_rules(kind: Kind) -> list[tuple[pl.Expr, str]]:
    """Every rule of a valid event in order: (true where an event breaks it; null counts as kept, ``rule: field``)."""
    rules = [
        *((_blank(c), f"missing: {c}") for c in NEEDED_TEXTS[kind]),
        *((pl.col(c).str.len_bytes() > MAX_ID_BYTES, f"too long: {c}") for c in IDS),
        (~pl.col("event_type").is_in(TYPES[kind], nulls_equal=True), "unknown: event_type"),
        (
            pl.col("event_time").is_null() | (pl.col("event_time").dt.epoch("ms") < EARLIEST_MS),
            "out of range: event_time",
        ),
    ]
    return rules + (_social_rules() if kind == "social" else _web_rules())


def conform(types: Columns, present: Collection[str]) -> list[pl.Expr]:
    """These columns from those present: cast, and null where there is none of the name."""
    return [
        (pl.col(name) if name in present else pl.lit(None)).cast(dtype).alias(name) for name, dtype in types.items()
    ]


def _blank(column: str) -> pl.Expr:
    return pl.col(column).is_null() | (pl.col(column).str.len_bytes() == 0)


def _social_rules() -> list[tuple[pl.Expr, str]]:
    correction = pl.col("event_type") == "correction"
    return [
        *((~correction & (pl.col(c) < 0), f"negative: {c}") for c in COUNTS),
        *((pl.col(c) < 0, f"negative: {c}") for c in SIZES),
        *((pl.col(c).abs() > MAX_COUNT, f"out of range: {c}") for c in (*COUNTS, *SIZES)),
    ]


def _web_rules() -> list[tuple[pl.Expr, str]]:
    return [
        ((pl.col("value") < 0) | pl.col("value").is_nan() | pl.col("value").is_infinite(), "out of range: value"),
    ]

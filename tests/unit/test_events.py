"""Every rule of both kinds of events, one broken at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from kolray.clock import from_ms
from kolray.events import (
    COUNTS,
    EARLIEST_MS,
    KIND_OF_TOPIC,
    MAX_COUNT,
    RAW_TOPICS,
    SCHEMAS,
    SOCIAL_TYPES,
    TOPICS,
    WEB_TYPES,
    Kind,
    invalid_reason,
    kind_of,
)

AT = datetime(2026, 1, 5, tzinfo=UTC)
VALID: dict[Kind, dict[str, Any]] = {
    "social": {"event_id": "e1", "kol_id": "k1", "platform": "youtube", "event_type": "engagement", "event_time": AT},
    "web": {"event_id": "e1", "kol_id": "k1", "campaign_id": "c1", "event_type": "click", "event_time": AT},
}
SIZES = ("followers", "following", "posts")
BOTH = [
    ("missing: event_id", {"event_id": None}),
    ("missing: event_id", {"event_id": ""}),
    ("missing: kol_id", {"kol_id": None}),
    ("missing: kol_id", {"kol_id": ""}),
    ("too long: kol_id", {"kol_id": "k" * 129}),
    ("too long: kol_id", {"kol_id": "é" * 65}),
    ("too long: event_id", {"event_id": "e" * 129}),
    ("out of range: event_time", {"event_time": None}),
    ("out of range: event_time", {"event_time": from_ms(EARLIEST_MS - 1)}),
    ("unknown: event_type", {"event_type": "Like"}),
    ("unknown: event_type", {"event_type": ""}),
    ("unknown: event_type", {"event_type": None}),
]
SOCIAL = [
    ("unknown: event_type", {"event_type": "click"}),
    ("missing: platform", {"platform": None}),
    ("missing: platform", {"platform": ""}),
    *((f"negative: {name}", {name: -1}) for name in (*COUNTS, *SIZES)),
    *((f"out of range: {name}", {name: MAX_COUNT + 1}) for name in (*COUNTS, *SIZES)),
    *((f"negative: {name}", {"event_type": "correction", name: -1}) for name in SIZES),
    *((f"out of range: {name}", {"event_type": "correction", name: -MAX_COUNT - 1}) for name in COUNTS),
]
WEB = [
    ("unknown: event_type", {"event_type": "engagement"}),
    ("missing: campaign_id", {"campaign_id": None}),
    ("missing: campaign_id", {"campaign_id": ""}),
    *(("out of range: value", {"value": value}) for value in (-0.01, float("nan"), float("inf"), float("-inf"))),
]
ALLOWED: list[tuple[Kind, dict[str, Any]]] = [
    ("social", {}),
    ("web", {}),
    *(("social", {"event_type": name}) for name in SOCIAL_TYPES),
    *(("web", {"event_type": name}) for name in WEB_TYPES),
    ("social", {"event_type": "correction", **dict.fromkeys(COUNTS, -5)}),
    ("social", dict.fromkeys((*COUNTS, *SIZES), 0)),
    ("social", dict.fromkeys((*COUNTS, *SIZES), MAX_COUNT)),
    ("social", {"event_id": "e" * 128, "kol_id": "é" * 64}),
    ("social", {"event_time": from_ms(EARLIEST_MS)}),
    ("web", {"value": 0.0}),
    ("web", {"value": 19.99, "currency": "VND"}),
]


def _reasons(kind: Kind, rows: list[dict[str, Any]]) -> list[str | None]:
    frame = pl.DataFrame([VALID[kind] | row for row in rows], schema=SCHEMAS[kind])
    return frame.select(invalid_reason(kind)).to_series().to_list()


@pytest.mark.parametrize(
    ("kind", "reason", "change"),
    [(kind, *case) for kind, cases in (("social", BOTH + SOCIAL), ("web", BOTH + WEB)) for case in cases],
)
def test_a_broken_rule_is_named_with_its_field(kind: Kind, reason: str, change: dict[str, Any]) -> None:
    assert _reasons(kind, [change]) == [reason]


@pytest.mark.parametrize(("kind", "change"), ALLOWED)
def test_a_valid_event_has_no_reason(kind: Kind, change: dict[str, Any]) -> None:
    assert _reasons(kind, [change]) == [None]


def test_rows_are_judged_one_by_one_and_the_first_rule_wins() -> None:
    rows = [{}, {"kol_id": "", "likes": -1}, {"likes": -1, "views": -1}, {}]
    assert _reasons("social", rows) == [None, "missing: kol_id", "negative: views", None]
    assert _reasons("web", []) == []


def test_time_is_kept_in_milliseconds_of_utc() -> None:
    frame = pl.DataFrame([VALID["web"] | {"event_time": AT + timedelta(milliseconds=1)}], schema=SCHEMAS["web"])
    assert frame["event_time"].dtype == pl.Datetime("ms", "UTC")
    assert frame["event_time"][0] == AT + timedelta(milliseconds=1)


def test_a_kind_is_told_by_its_columns_and_its_topic() -> None:
    for kind, schema in SCHEMAS.items():
        assert kind_of(list(schema)) == kind
        assert KIND_OF_TOPIC[RAW_TOPICS[kind]] == kind
        assert RAW_TOPICS[kind] in TOPICS
    assert len(set(TOPICS)) == len(TOPICS) == 5

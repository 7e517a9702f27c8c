"""Twelve kinds of corruption through Kafka: each is found by its rule at its offset, and no clean row is rejected."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from kolray.clock import SystemClock, to_ms
from kolray.connectors.producer import EventProducer
from kolray.events import DLQ_TOPIC, SOCIAL_SCHEMA, SOCIAL_TOPIC
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.rules import RULES
from kolray.lake.silver_pipeline import run_silver
from kolray.lake.tables import LakeTables
from kolray.schemas.registry import open_registry
from kolray.schemas.wire import encode_rows
from kolray.settings import Settings
from kolray.stream.actors import Supervisor
from kolray.stream.fetch import BatchFetcher
from kolray.stream.status import totals
from kolray.stream.values import records_of

pytestmark = [pytest.mark.usefixtures("cluster"), pytest.mark.embedded]

Event = dict[str, Any]
Place = tuple[str, int, int]
CLEAN, EACH = 600, 3
PLACE = ["topic", "partition", "offset"]


def _with(**fields: Any) -> Callable[[Event], Event]:
    return lambda event: event | fields


EVENTS: dict[str, Callable[[Event], Event]] = {
    "negative: likes": _with(likes=-5),
    "unknown: event_type": _with(event_type="shout"),
    "out of range: event_time": lambda e: (
        e | {"event_time": datetime.fromtimestamp(1_768_000, tz=e["event_time"].tzinfo)}
    ),
    "far future: event_time": lambda e: e | {"event_time": e["event_time"] + timedelta(days=3)},
    "duplicate.event_id": _with(),
    "huge.counts": _with(views=5_000_000_000),
    "encoding.text": _with(event_type="comment", author_id="a1b2", text="Ráº¥t Ä‘áº¹p"),
    "personal.author_id": _with(event_type="comment", author_id="lan@example.com", text="hay"),
}
"""Rule → what it must find in an event that is otherwise clean."""
BYTES: dict[str, Callable[[bytes, bytes], tuple[bytes | None, bytes]]] = {
    "not in the Confluent wire format": lambda key, value: (key, b"\x01 no Avro at all"),
    "schema id": lambda key, value: (key, b"\x00\x00\x00\x00\x63" + value[5:]),
    "body does not follow its schema": lambda key, value: (key, value[:-4]),
    "key is not kol_id": lambda key, value: (b"another", value),
}
"""Beginning of a reason → what it must find in the key and value of a record."""
KEPT = {"duplicate.event_id", "huge.counts", "encoding.text", "personal.author_id"}
"""Not broken, but suspect: silver counts them, and keeps all but copies."""


def _clean(number: int, at: datetime) -> Event:
    full = dict.fromkeys(SOCIAL_SCHEMA)
    counts = {"impressions": 100, "views": 80, "clicks": 5, "likes": 9, "comments": 2, "shares": 1}
    return full | counts | {
        "event_id": f"e{number}", "kol_id": f"kol_{number % 40:03}", "platform": "tiktok", "event_type": "engagement",
        "event_time": at + timedelta(milliseconds=number), "post_id": f"p{number % 7}", "lang": "vi",
    }  # fmt: skip


def _send(settings: Settings) -> dict[bytes | None, str]:
    """Sends clean events with corrupt ones among them; returns what was wrong, by the record's value."""
    registry = open_registry(settings.registry.url)
    producer, at = EventProducer(settings.kafka, registry), SystemClock().now() - timedelta(minutes=30)
    wrong: dict[bytes | None, str] = {}

    def encoded(event: Event) -> tuple[bytes, bytes]:
        frame = pl.DataFrame([event], schema=pl.Schema(SOCIAL_SCHEMA))
        return event["kol_id"].encode(), encode_rows(SOCIAL_TOPIC, registry.id_for(SOCIAL_TOPIC), frame)[0]

    def send(key: bytes | None, value: bytes) -> None:
        producer.send_raw(SOCIAL_TOPIC, key, value, timestamp_ms=to_ms(at) + 1000)

    faults = [(rule, n) for n in range(EACH) for rule in (*EVENTS, *BYTES)]
    for number in range(CLEAN):
        clean = _clean(number, at)
        send(*encoded(clean))
        if number % 10 == 0 and faults:
            rule, n = faults.pop()
            event = clean if rule == "duplicate.event_id" else clean | {"event_id": f"{rule}-{n}"}
            key, value = encoded(EVENTS[rule](event)) if rule in EVENTS else BYTES[rule](*encoded(event))
            if rule == "not in the Confluent wire format":
                value += bytes([n])  # each of them can be told from the others
            wrong[value] = rule
            send(key, value)
    assert not faults
    producer.flush()
    return wrong


def _places(settings: Settings, wrong: dict[bytes | None, str], topic: str = SOCIAL_TOPIC) -> dict[str, set[Place]]:
    """Rule → where the topic holds what it must find. Of two equal records the first is the clean one."""
    fetcher = BatchFetcher(settings.kafka, {(topic, n): 0 for n in range(settings.kafka.partitions)})
    places: dict[str, set[Place]] = {rule: set() for rule in wrong.values()}
    seen: set[bytes] = set()
    while not fetcher.caught_up():
        for batch in fetcher.poll(0.2):
            for offset, value in records_of(batch).select("offset", "value").iter_rows():
                rule = wrong.get(value)
                if rule is not None and (rule != "duplicate.event_id" or value in seen):
                    places[rule].add((batch.topic, batch.partition, offset))
                seen.add(value)
    fetcher.close()
    return places


def _set(rows: pl.DataFrame) -> set[Place]:
    return set(rows.select(PLACE).iter_rows())


def test_every_corruption_is_found_where_it_is_and_no_clean_row_is_rejected(embedded: Settings) -> None:
    wrong = _send(embedded)
    places = _places(embedded, wrong)
    assert {rule: len(found) for rule, found in places.items()} == dict.fromkeys([*EVENTS, *BYTES], EACH)
    assert len(places) == 12
    counts = totals(Supervisor(embedded, until_end=True).run())
    run_bronze(embedded)
    run_silver(embedded)
    tables = LakeTables(embedded.lake_root)

    letters = tables.scan("bronze.dead_letters").collect()
    for rule in places.keys() - KEPT:
        assert _set(letters.filter(pl.col("reason").str.starts_with(rule))) == places[rule], (rule, letters["reason"])
    assert letters.height == counts["rejected"] == EACH * len(places.keys() - KEPT)

    bronze, silver = (tables.scan(f"{layer}.social").collect() for layer in ("bronze", "silver"))
    assert tables.scan("silver.quarantine").collect().is_empty()  # what the stream refuses does not come so far
    assert _set(bronze.join(silver, on=PLACE, how="anti")) == places["duplicate.event_id"]
    checks = {rule.id: rule.broken for rule in RULES if rule.severity == "warning" and "social" in rule.kinds}
    judged = silver.with_columns(kafka_time="available_at")
    failed = {rule: _set(judged.filter(broken)) for rule, broken in checks.items()}
    warned = {rule: found for rule, found in places.items() if rule in checks}
    assert {rule: found for rule, found in failed.items() if found} == warned
    quality = tables.scan("silver.quality").filter(pl.col("failed") > 0).collect()
    assert dict(quality.select("rule", "failed").iter_rows()) == dict.fromkeys(KEPT, EACH)
    assert silver.height == CLEAN + EACH * len(warned)
    assert DLQ_TOPIC not in set(silver["topic"])

"""Valid events, and events that break a rule, encoded once; a record is cut from them by a mutation."""

from __future__ import annotations

import random
from typing import Any

import polars as pl

from kolray.benchmarks.events import social_events, web_events
from kolray.benchmarks.fuzz.mutations import BODY, HEAD, MUTATIONS, OTHER_WRITER, RULES, Record
from kolray.errors import SchemaError
from kolray.events import RAW_TOPICS, TIME, Kind
from kolray.schemas.registry import AvroSchema, FileRegistry
from kolray.schemas.wire import encode_rows

POOL_EVENTS = 4_000
"""Seconds of event time they span must stay below the allowed lateness."""
RULE_EVENTS = 100
YEAR_2100 = 4_102_444_800_000


class FuzzRegistry(FileRegistry):
    """The package's schemas, and beside each raw one that of a writer with one field more."""

    def schema(self, schema_id: int) -> AvroSchema:
        """As packaged, or with a leading ``extra``."""
        try:
            return super().schema(schema_id)
        except SchemaError:
            own = schema_id - OTHER_WRITER
            if own not in {self.id_for(topic) for topic in RAW_TOPICS.values()}:
                raise
            packaged = super().schema(own)
            return packaged | {"fields": [{"name": "extra", "type": "long"}, *packaged["fields"]]}


class Pool:
    """Records of one kind of event, each with an ``event_id`` of its own."""

    def __init__(self, kind: Kind, seed: int, n_kols: int = 500) -> None:
        self.names = [name for name, mutation in MUTATIONS.items() if kind == "social" or not mutation.social_only]
        self._chance = random.Random(seed)
        make = social_events if kind == "social" else web_events
        valid = make(0, POOL_EVENTS, n_kols, seed)
        if kind == "social":
            valid = valid.with_columns(pl.lit(None, pl.String).alias("lang"))  # the last byte is a union's index
        self._pools: dict[str | None, list[tuple[bytes, bytes, bytes]]] = {None: _cut(kind, valid)}
        few = valid.head(RULE_EVENTS)
        self._pools |= {rule: _cut(kind, few.with_columns(**_breaking(kind, rule))) for rule in RULES}
        self._weights = [MUTATIONS[name].weight for name in self.names]

    def choose(self, share: float, n: int) -> list[str]:
        """Names of ``n`` mutations, a ``share`` of them other than plain."""
        names = self._chance.choices(self.names, self._weights, k=n)
        return [name if self._chance.random() < share else "plain" for name in names]

    def record(self, name: str, number: int) -> Record:
        """The record of a mutation; ``number`` (below 10^10) makes its ``event_id``."""
        mutation = MUTATIONS[name]
        pool = self._pools[mutation.rule]
        key, head, rest = pool[number % len(pool)]
        return mutation.make(Record(key, b"%b%010d%b" % (head, number, rest)), self._chance)


def _cut(kind: Kind, frame: pl.DataFrame) -> list[tuple[bytes, bytes, bytes]]:
    """Key, bytes before the number in ``event_id``, bytes after it."""
    topic = RAW_TOPICS[kind]
    values = encode_rows(topic, FileRegistry().id_for(topic), frame)
    keys = frame["kol_id"].cast(pl.Binary)
    return [(key, v[: HEAD + 2], v[BODY:]) for key, v in zip(keys, values, strict=True)]


def _breaking(kind: Kind, rule: str) -> dict[str, Any]:
    """Columns that break a rule of every event or of this kind."""
    number = ("likes", -1) if kind == "social" else ("value", -1.0)
    field, bad = {
        "type": ("event_type", "gossip"),
        "count": number,
        "time": ("event_time", 1_700_000_000),  # seconds for milliseconds
        "future": ("event_time", YEAR_2100),
        "blank": ("platform" if kind == "social" else "campaign_id", ""),
        "long_kol": ("kol_id", "k" * 200),
    }[rule]
    column = pl.lit(bad).cast(TIME) if field == "event_time" else pl.lit(bad)
    return {field: column}

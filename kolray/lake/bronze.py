"""Bronze: what Kafka held, with its place. Exactly once by the next offset of each topic-partition in the commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from kolray.events import ALERTS_TOPIC, DLQ_TOPIC, KIND_OF_TOPIC, LATE_TOPIC, TIME, Columns, Kind
from kolray.lake.tables import BRONZE_OF_TOPIC, LakeTables, transaction_of
from kolray.schemas.registry import Registry, open_registry
from kolray.schemas.wire import decode_value, schema_id_of
from kolray.settings import Settings
from kolray.stream.decode import BatchDecoder
from kolray.stream.denied import DenyList, open_deny_list
from kolray.stream.fetch import BatchFetcher, RawBatch
from kolray.stream.values import records_of

OUTPUTS = {
    DLQ_TOPIC: ("bronze.dead_letters", "dlq"),
    LATE_TOPIC: ("bronze.late_events", "late"),
    ALERTS_TOPIC: ("bronze.alerts", "alert"),
}
"""What the stream published: topic → table, and the prefix of the columns that say where the record itself lies."""
TABLE_OF_TOPIC = {**BRONZE_OF_TOPIC, **{topic: table for topic, (table, _) in OUTPUTS.items()}}
CHUNK_ROWS = 131_072
"""Records decoded together, roughly: a fetch may bring many more."""


@dataclass(frozen=True)
class BronzeTask:
    """One topic-partition to read from ``start`` to its log's end."""

    table: str
    topic: str
    partition: int
    start: int


def source_id(table: str, topic: str, partition: int) -> str:
    """Names a topic-partition among a table's transactions; the version is the next offset to read."""
    return f"{table}/{topic}-{partition}"


def plan_bronze(tables: LakeTables, partitions: int) -> list[BronzeTask]:
    """Every topic-partition with the offset after what its table holds."""
    held = {name: tables.find(name) for name in TABLE_OF_TOPIC.values()}
    return [
        BronzeTask(name, topic, number, transaction_of(held[name], source_id(name, topic, number)) or 0)
        for topic, name in TABLE_OF_TOPIC.items()
        for number in range(partitions)
    ]


def grouped(tasks: list[BronzeTask], groups: int) -> list[list[BronzeTask]]:
    """Raw topics in ``groups`` shares by partition, the outputs' topics in one: a fetcher each."""
    raw = [task for task in tasks if task.topic in KIND_OF_TOPIC]
    outputs = [task for task in tasks if task.topic not in KIND_OF_TOPIC]
    shares = [[task for task in raw if task.partition % groups == i] for i in range(groups)]
    return [share for share in (*shares, outputs) if share]


def read_group(
    tasks: list[BronzeTask],
    settings: Settings,
    ingest_time: datetime,
    extra: Mapping[Kind, Columns] | None = None,
) -> Iterator[tuple[str, pl.DataFrame, dict[str, int]]]:
    """Table, rows and {transaction id: offset after them}, until the log's end as it is met.

    As the stream does, it leaves out what was aborted, where the broker's transactions hold, and KOLs that were erased.
    ``extra``: columns beyond the contract.
    """
    fetcher = open_fetcher(settings, tasks)
    registry, denied = open_registry(settings.registry.url), open_deny_list(settings)
    decoder = BatchDecoder(registry, settings.stream.far_future_s, extra=extra, denied=denied)
    held: list[RawBatch] = []
    try:
        ended = False
        while not ended:
            got = fetcher.poll(0.2)
            held += got
            ended = not got and fetcher.caught_up()
            if held and (ended or records_in(held) >= CHUNK_ROWS):
                yield from rows_of(decoder, denied, held, ingest_time)
                held = []
    finally:
        fetcher.close()


def records_in(batches: Iterable[RawBatch]) -> int:
    return sum(batch.count for batch in batches)


def _in_chunks(batches: list[RawBatch]) -> Iterator[list[RawBatch]]:
    """About ``CHUNK_ROWS`` records at a time."""
    first, rows = 0, 0
    for number, batch in enumerate(batches, 1):
        rows += batch.count
        if rows >= CHUNK_ROWS or number == len(batches):
            yield batches[first:number]
            first, rows = number, 0


def open_fetcher(settings: Settings, tasks: list[BronzeTask]) -> BatchFetcher:
    """Reads on where the tasks start."""
    starts = {(task.topic, task.partition): task.start for task in tasks}
    return BatchFetcher(settings.kafka, starts, committed_only=settings.kafka.transactions)


def by_table(layer: str, extra: Mapping[Kind, Columns]) -> dict[str, Columns]:
    """Columns beyond the contract, by the table of a layer."""
    return {f"{layer}.{kind}": columns for kind, columns in extra.items()}


def rows_of(
    decoder: BatchDecoder, denied: DenyList, batches: list[RawBatch], ingest_time: datetime
) -> Iterator[tuple[str, pl.DataFrame, dict[str, int]]]:
    """Table, rows and {transaction id: offset after them} of record batches, a topic at a time.

    Args:
        decoder: knows the deny-list too: events of the denied are none to it.
    """
    topics = dict.fromkeys(batch.topic for batch in batches)
    of_topic = ([batch for batch in batches if batch.topic == topic] for topic in topics)
    for mine in (chunk for whole in of_topic for chunk in _in_chunks(whole)):
        topic = mine[0].topic
        raw = topic in KIND_OF_TOPIC
        rows = _events(topic, decoder, mine) if raw else denied.allowed(_outputs(topic, decoder.registry, mine))
        table = TABLE_OF_TOPIC[topic]
        ends: dict[str, int] = {}
        for batch in mine:
            source = source_id(table, topic, batch.partition)
            ends[source] = max(ends.get(source, 0), batch.last_offset + 1)
        yield table, _stamped(rows, raw, ingest_time), ends


def _events(topic: str, decoder: BatchDecoder, batches: list[RawBatch]) -> pl.DataFrame:
    """Valid events; the others are in ``bronze.dead_letters`` by way of the stream."""
    frame = decoder.decode(KIND_OF_TOPIC[topic], batches).frame
    return frame.with_columns(kafka_time=pl.col("kafka_ms").cast(TIME)).drop("kafka_ms")


def _outputs(topic: str, registry: Registry, batches: list[RawBatch]) -> pl.DataFrame:
    _, prefix = OUTPUTS[topic]
    rows = []
    for batch in batches:
        for offset, value in records_of(batch).select("offset", "value").iter_rows():
            row = decode_value(value, registry.schema(schema_id_of(value)))
            rows.append(row | {f"{prefix}_partition": batch.partition, f"{prefix}_offset": offset})
    return pl.DataFrame(rows, infer_schema_length=None)


def _stamped(rows: pl.DataFrame, raw: bool, ingest_time: datetime) -> pl.DataFrame:
    stamped = rows.with_columns(dt=pl.lit(ingest_time.date()))
    return stamped.with_columns(ingest_time=pl.lit(ingest_time).cast(TIME)) if raw else stamped

"""Record batches made by the column: every byte as the Avro library, Kafka's client and Java's partitioner have it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2

from kolray.connectors import record_batches as made
from kolray.connectors.record_batches import Built, record_batches
from kolray.errors import SchemaError
from kolray.events import RAW_TOPICS, SCHEMAS, Kind
from kolray.schemas.columns import AvroColumns
from kolray.schemas.registry import packaged_schema
from kolray.schemas.wire import encode_rows
from kolray.stream.fetch import HEAD_BYTES
from kolray.stream.values import records_of
from tests.unit.stream.batches import T0, social_frame, web_frame

VALUES = {
    pl.String: st.text(max_size=200),
    pl.Int64: st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-200, 200),
    pl.Boolean: st.booleans(),
    pl.Float64: st.floats(),
    pl.Datetime: st.integers(0, 1 << 42),
}
NEEDED = {
    kind: [field["name"] for field in packaged_schema(topic)["fields"] if not isinstance(field["type"], list)]
    for kind, topic in RAW_TOPICS.items()
}


def built(kind: Kind, frame: pl.DataFrame, times: list[int], n_partitions: int) -> list[Built]:
    columns = AvroColumns.of(frame, packaged_schema(RAW_TOPICS[kind]))
    return list(record_batches(columns, np.array(times, np.int64), 7, n_partitions))


def parsed(batch: Built) -> pl.DataFrame:
    """``key, value, kafka_ms`` as the independent reader of batches takes them, checksum and heads checked."""
    from kafka import TopicPartition
    from kafka.record import MemoryRecords

    from kolray.stream.fetch import raw_batch

    records = MemoryRecords(batch.records.buffer())
    read = records.next_batch()
    assert read.validate_crc()
    assert not records.has_next()
    raw = raw_batch(TopicPartition("t", batch.partition), read, 0)
    assert raw.count == batch.count == raw.last_offset + 1
    return records_of(raw).select("key", "value", "kafka_ms")


@pytest.mark.parametrize("kind", ["social", "web"])
@settings(max_examples=25)
@given(data=st.data())
def test_records_are_those_of_the_avro_library(kind: Kind, data: st.DataObject) -> None:
    row = st.fixed_dictionaries({
        name: VALUES[dtype.base_type()] | (st.nothing() if name in NEEDED[kind] else st.none())
        for name, dtype in SCHEMAS[kind].items()
    })  # fmt: skip
    rows = data.draw(st.lists(row, min_size=1, max_size=8))
    cut = data.draw(st.integers(0, len(rows) - 1))
    frame = pl.DataFrame(rows, schema=SCHEMAS[kind])[cut:]
    times = data.draw(st.lists(st.integers(0, 1 << 42), min_size=frame.height, max_size=frame.height))
    batches = built(kind, frame, times, 3)
    keys = [kol_id.encode() for kol_id in frame["kol_id"]]
    wanted = sorted(
        ((murmur2(key) & 0x7FFFFFFF) % 3, key, value, at)
        for key, value, at in zip(keys, encode_rows(RAW_TOPICS[kind], 7, frame), times, strict=True)
    )
    assert sorted((b.partition, *record) for b in batches for record in parsed(b).iter_rows()) == wanted


def test_rows_of_a_partition_keep_their_order_over_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "BATCH_BYTES", 1000)
    frame = social_frame([{"kol_id": f"k{n % 5}", "text": "x" * (n % 300)} for n in range(200)])
    batches = built("social", frame, list(range(T0, T0 + 200)), 4)
    assert len(batches) > 8
    for number in range(4):
        times = [at for b in batches if b.partition == number for at in parsed(b)["kafka_ms"]]
        assert times == sorted(times)
    assert sum(b.count for b in batches) == 200


def test_a_row_longer_than_a_batch_stands_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "BATCH_BYTES", 1000)
    frame = social_frame([{"text": "x" * size} for size in (10, 5000, 10)])
    assert [b.count for b in built("social", frame, [T0] * 3, 1)] == [1, 1, 1]


def test_a_batch_sent_again_is_the_same_to_the_byte() -> None:
    [batch] = built("web", web_frame([{}, {}]), [T0, T0], 1)
    batch.records.set_producer_state(12, 3, 45, False)
    first = batch.records.buffer()
    batch.records.close()
    assert batch.records.buffer() == first
    assert len(first) == batch.records.size_in_bytes() > HEAD_BYTES
    assert parsed(batch).height == 2


def test_an_event_without_what_it_needs_is_refused() -> None:
    frame = social_frame([{}]).with_columns(kol_id=pl.lit(None, pl.String))
    with pytest.raises(SchemaError, match="kol_id: null or missing in 1 events"):
        AvroColumns.of(frame, packaged_schema(RAW_TOPICS["social"]))

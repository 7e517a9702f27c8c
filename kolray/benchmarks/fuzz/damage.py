"""Flips bytes of record batches in the log of a broker of this machine: a disk that returns something else."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

LENGTH_AT, ATTRIBUTES_AT, LAST_DELTA_AT, RECORDS_AT = 8, 21, 23, 61
"""Places in a record batch's head: its length, attributes, last offset delta, and where the head ends."""
CONTROL = 0x20
HEAD_PLACES = (*range(ATTRIBUTES_AT, LAST_DELTA_AT), *range(LAST_DELTA_AT + 4, 57))
"""Attributes, timestamps, producer. Not where it ends: damaged there, neither broker nor client finds what follows."""
IN_HEAD = 0.5
"""Part of the damage that goes to heads."""


@dataclass(frozen=True)
class StoredBatch:
    """Where a record batch lies: the file, its first byte and size, and the offsets it holds."""

    file: Path
    at: int
    size: int
    first_offset: int
    last_offset: int


def stored_batches(folder: Path) -> Iterator[StoredBatch]:
    """Batches of records (no control batches) in the segments of one topic-partition."""
    for file in sorted(folder.glob("*.log")):
        data = file.read_bytes()
        at = 0
        while at + RECORDS_AT <= len(data):
            first = int.from_bytes(data[at : at + LENGTH_AT], "big")
            size = int.from_bytes(data[at + LENGTH_AT : at + 12], "big") + 12
            last = first + int.from_bytes(data[at + LAST_DELTA_AT : at + LAST_DELTA_AT + 4], "big")
            if size <= RECORDS_AT - 1:
                return  # the segment's preallocated rest
            if not data[at + ATTRIBUTES_AT + 1] & CONTROL:
                yield StoredBatch(file, at, size, first, last)
            at += size


def damage(folders: Mapping[tuple[str, int], Path], seen: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """Flips one bit of at most ``n`` batches of each partition whose folder is here.

    Only batches of records in ``seen`` (``topic, partition, offset``): of a damaged one no reader can tell that it was
    aborted. The broker checks nothing it sends: its readers have to.

    Returns:
        ``topic, partition, first_offset, last_offset`` of the batches.
    """
    chance = random.Random(seed)
    hit = []
    for (topic, partition), folder in folders.items():
        visible = set(seen.filter(pl.col("topic") == topic, pl.col("partition") == partition)["offset"])
        found = [batch for batch in stored_batches(folder) if batch.last_offset in visible]
        for batch in chance.sample(found, min(n, len(found))):
            head = chance.random() < IN_HEAD
            place = batch.at + (chance.choice(HEAD_PLACES) if head else chance.randrange(RECORDS_AT, batch.size))
            with batch.file.open("r+b") as log:
                log.seek(place)
                [byte] = log.read(1)
                log.seek(place)
                log.write(bytes([byte ^ (1 << chance.randrange(8))]))
            hit.append((topic, partition, batch.first_offset, batch.last_offset))
    schema = {"topic": pl.String, "partition": pl.Int32, "first_offset": pl.Int64, "last_offset": pl.Int64}
    return pl.DataFrame(hit, schema=schema, orient="row")

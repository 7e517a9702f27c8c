"""Counts an ``event_id`` once while its panes are retained: sets of 64-bit hashes, one a span of event time.

Two ids with one hash (xxh3) would count as one: among 10 million that are retained, a chance of 1 in 370,000.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash as plh

from kolray.stream.hashset import Flags, Hashes, empty_set, insert, mark_known


class DuplicateFilter:
    """Remembers the ids of one topic-partition, in buckets of event time that are dropped as a whole.

    Args:
        bucket_ms: width of a bucket; the caller drops buckets by ``forget_before``.
    """

    def __init__(self, bucket_ms: int) -> None:
        self._bucket_ms = bucket_ms
        self._sets: dict[int, Hashes] = {}
        self._sizes: dict[int, int] = {}

    def first_seen(self, events: pl.DataFrame) -> pl.Series:
        """Boolean, one a row: this row's ``event_id`` is new. Remembers the new ones.

        ``events`` needs ``event_id`` and ``event_time``, oldest offset first.
        """
        if not events.height:
            return pl.Series(dtype=pl.Boolean)
        hashed = events.select(plh.col("event_id").nchash.xxh3_64()).to_series()
        hashes = hashed.to_numpy()
        buckets = events["event_time"].to_physical().to_numpy() // self._bucket_ms
        own = buckets[:1] if buckets.min() == buckets.max() else np.unique(buckets)
        # An id that comes twice at once, with times of two buckets, would be new to both.
        known = (
            np.zeros(len(hashes), np.bool_) if len(own) == 1 else (~hashed.is_first_distinct()).to_numpy(writable=True)
        )
        for bucket, table in self._sets.items():
            if len(own) > 1 or bucket != own[0]:
                mark_known(table, hashes, known)
        for bucket in own:
            self._remember(int(bucket), hashes, known, None if len(own) == 1 else buckets != bucket)
        return pl.Series(~known)

    def _remember(self, bucket: int, hashes: Hashes, known: Flags, others: Flags | None) -> None:
        """Adds the unknown hashes of a bucket, and marks those that it has already as known."""
        skip = known if others is None else known | others
        wanted = len(hashes) - int(skip.sum())
        size = self._sizes.get(bucket, 0)
        if bucket not in self._sets or 2 * (size + wanted) > len(self._sets[bucket]):
            self._grow(bucket, size + wanted)
        self._sizes[bucket] = size + insert(self._sets[bucket], hashes, skip)
        if others is not None:
            known |= skip & ~others

    def _grow(self, bucket: int, n: int) -> None:
        old = self._sets.get(bucket)
        self._sets[bucket] = empty_set(n + n // 4)
        if old is not None:
            held = old[old != 0]
            insert(self._sets[bucket], held, np.zeros(len(held), np.bool_))

    def forget_before(self, ms: int) -> None:
        """Drops buckets that end at or before this event time."""
        for bucket in [b for b in self._sets if (b + 1) * self._bucket_ms <= ms]:
            del self._sets[bucket], self._sizes[bucket]

    def __len__(self) -> int:
        return sum(self._sizes.values())

    @property
    def size_bytes(self) -> int:
        """Memory of the sets."""
        return sum(table.nbytes for table in self._sets.values())

    def snapshot(self) -> pl.DataFrame:
        """Every hash with its bucket."""
        parts = [_column(bucket, table[table != 0]) for bucket, table in self._sets.items()]
        return pl.concat([pl.DataFrame(schema={"bucket": pl.Int64, "hash": pl.UInt64}), *parts])

    def restore(self, snapshot: pl.DataFrame) -> None:
        """Takes over the hashes of ``snapshot()``."""
        self._sets, self._sizes = {}, {}
        for (bucket,), part in snapshot.group_by("bucket"):
            hashes = part["hash"].to_numpy()
            self._remember(int(bucket), hashes, np.zeros(len(hashes), np.bool_), None)


def _column(bucket: int, hashes: npt.NDArray[np.uint64]) -> pl.DataFrame:
    return pl.DataFrame({"bucket": np.full(len(hashes), bucket, dtype=np.int64), "hash": hashes})

"""Counts an ``event_id`` once while its panes are retained: sorted runs of 64-bit hashes, probed by binary search."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]
MERGE_AT = 4
"""Runs of a bucket before they are merged into one."""


class DuplicateFilter:
    """Remembers the ids of one topic-partition, in buckets of event time that are dropped as a whole.

    Args:
        bucket_ms: width of a bucket; the caller drops buckets by ``forget_before``.
    """

    def __init__(self, bucket_ms: int) -> None:
        self._bucket_ms = bucket_ms
        self._runs: dict[int, list[Hashes]] = {}

    def first_seen(self, events: pl.DataFrame) -> pl.Series:
        """Boolean, one a row: this row's ``event_id`` is new. Remembers the new ones.

        ``events`` needs ``event_id`` and ``event_time``, oldest offset first.
        """
        hashes = events["event_id"].hash(7)
        fresh = hashes.is_first_distinct()
        values = hashes.to_numpy()
        known = np.zeros(len(values), dtype=bool)
        for run in (run for runs in self._runs.values() for run in runs):
            at = np.searchsorted(run, values)
            known |= run[np.minimum(at, len(run) - 1)] == values
        new = fresh & pl.Series(~known)
        if new.any():
            self._remember(values, (events["event_time"].dt.epoch("ms") // self._bucket_ms).to_numpy(), new.to_numpy())
        return new

    def _remember(self, hashes: Hashes, buckets: npt.NDArray[np.int64], new: npt.NDArray[np.bool_]) -> None:
        hashes, buckets = hashes[new], buckets[new]
        for bucket in np.unique(buckets):
            runs = self._runs.setdefault(int(bucket), [])
            runs.append(np.sort(hashes[buckets == bucket]))
            if len(runs) >= MERGE_AT:
                self._runs[int(bucket)] = [np.sort(np.concatenate(runs))]

    def forget_before(self, ms: int) -> None:
        """Drops buckets that end at or before this event time."""
        for bucket in [b for b in self._runs if (b + 1) * self._bucket_ms <= ms]:
            del self._runs[bucket]

    def __len__(self) -> int:
        return sum(len(run) for runs in self._runs.values() for run in runs)

    def snapshot(self) -> pl.DataFrame:
        """Every hash with its bucket."""
        parts = [
            pl.DataFrame({"bucket": np.full(len(run), bucket, dtype=np.int64), "hash": run})
            for bucket, runs in self._runs.items()
            for run in runs
        ]
        return pl.concat([pl.DataFrame(schema={"bucket": pl.Int64, "hash": pl.UInt64}), *parts])

    def restore(self, snapshot: pl.DataFrame) -> None:
        """Takes over the hashes of ``snapshot()``."""
        self._runs = {
            int(bucket[0]): [np.sort(part["hash"].to_numpy())]
            for bucket, part in snapshot.group_by("bucket")
            if part.height
        }

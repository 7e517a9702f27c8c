"""How a table's files lie, and how they should: which days hold more files than maintenance leaves behind (pure)."""

from __future__ import annotations

from datetime import date

import polars as pl

MB = 1 << 20


def most_files(size: int, target: int) -> int:
    """Files that a day of ``size`` bytes may keep: one, and two for each full ``target`` bytes.

    A rewritten file is a little smaller or larger than the target, hence two; a day that was rewritten never exceeds
    it, so a second run has nothing to do.

    >>> [most_files(size, 100) for size in (0, 99, 100, 250)]
    [1, 1, 3, 5]
    """
    return 1 + 2 * (size // target)


def crowded(files: pl.DataFrame, target: int) -> list[date | None]:
    """Days with more files than they may keep, oldest first.

    Args:
        files: ``dt`` (null in a table without partitions) and ``size_bytes`` of each file.
        target: bytes that a file should have.
    """
    days = files.group_by("dt").agg(pl.len(), pl.col("size_bytes").sum()).sort("dt")
    return [day for day, n, size in days.iter_rows() if n > most_files(size, target)]

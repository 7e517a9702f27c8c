"""Unique visitors of each KOL and window: the K smallest hashes of every pane, which any window may merge (KMV).

Of n distinct uniform hashes the K-th smallest lies near K/n, so it tells n; the standard error is 1/sqrt(K - 2), about
3 %. Fewer than K are counted exactly. The K smallest of a union are the K smallest of its parts' K smallest, so the
order of merging changes nothing, and stream, replay and ``verify`` agree to the bit.

A pane is one sorted array of integers, ``code of the KOL << 40 | upper 40 bits of the visitor's hash``: sorting groups
it, and merging panes is merging sorted runs. xxh3 does not change between versions, as polars' own hash does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_hash as plh

from kolray.events import Columns
from kolray.stream.windows import PANE, WindowSpec, pane_ms

K = 1024
HASH_BITS = 40
KOL_BITS = 64 - HASH_BITS
"""At most 2^24 - 1 KOLs hold visitors in one partition at a time: their panes would not fit into memory."""
NOBODY = (1 << KOL_BITS) - 1
"""The code of a KOL without visitors."""
SPARE_KOLS = 1024
FEW = 16
"""Keys for each KOL asked for up to which one pass over all of them is cheaper than binary searches."""

Keys = npt.NDArray[np.uint64]
_SHIFT, _MASK = np.uint64(HASH_BITS), np.uint64((1 << HASH_BITS) - 1)
_KOLS: Columns = {"kol_id": pl.String, "code": pl.UInt64}
_SNAPSHOT: Columns = {"pane": pl.Int64, "kol_id": pl.String, "hashes": pl.List(pl.UInt64)}


class Visitors:
    """The visitors of one partition, by pane; panes are merged when they are asked for, not when events come.

    Args:
        specs: the windows that will be counted.
    """

    def __init__(self, specs: Sequence[WindowSpec]) -> None:
        self._pane_ms = pane_ms(specs)
        self._sizes = {PANE: self._pane_ms} | {spec.name: spec.size_ms for spec in specs}
        self._kols = pl.DataFrame(schema=_KOLS)
        self._kept_kols = 0
        self._settled: dict[int, Keys] = {}
        self._fresh: dict[int, list[Keys]] = {}

    def add(self, web: pl.DataFrame) -> None:
        """Valid web events: ``kol_id, event_time, visitor``; one without a visitor (null or empty) does not count."""
        at = pl.col("event_time").dt.epoch("ms")
        seen = web.lazy().filter(pl.col("visitor") != "")
        hashed = plh.col("visitor").nchash.xxh3_64()
        rows = seen.select("kol_id", pane=at - at % self._pane_ms, hash=hashed).collect()
        if rows.height:
            keys = self._coded(rows["kol_id"]) << _SHIFT | rows["hash"].to_numpy() >> np.uint64(KOL_BITS)
            self._keep(rows["pane"].to_numpy(), keys)

    def _keep(self, panes: npt.NDArray[np.int64], keys: Keys) -> None:
        if panes[0] != panes[-1] or panes.min() != panes.max():
            order = np.argsort(panes, kind="stable")
            panes, keys = panes[order], keys[order]
        first = np.flatnonzero(np.r_[True, panes[1:] != panes[:-1]])
        for pane, part in zip(panes[first], np.split(keys, first[1:]), strict=True):
            self._fresh.setdefault(int(pane), []).append(part)

    def _coded(self, kol_ids: pl.Series) -> Keys:
        """The code of each KOL; new ones get the next."""
        codes = self._codes(kol_ids)
        if codes.null_count():
            new = kol_ids.filter(codes.is_null()).unique(maintain_order=True)
            numbers = pl.Series("code", np.arange(len(new), dtype=np.uint64) + np.uint64(self._next_code()))
            self._kols = pl.concat([self._kols, pl.DataFrame([new.alias("kol_id"), numbers])])
            codes = self._codes(kol_ids)
        return codes.to_numpy()

    def _next_code(self) -> int:
        return int(self._kols["code"][-1]) + 1 if self._kols.height else 0

    def _codes(self, kol_ids: pl.Series) -> pl.Series:
        """Null for a KOL without visitors."""
        asked = kol_ids.to_frame("kol_id")
        return asked.join(self._kols, on="kol_id", how="left", maintain_order="left")["code"]

    def counted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Window or pane rows with ``unique_visitors`` filled in; their panes must not be forgotten yet."""
        if not rows.height:
            return rows
        codes = self._codes(rows["kol_id"]).fill_null(NOBODY)
        asked = rows.select("window", codes, start=pl.col("window_start").dt.epoch("ms"), at=pl.int_range(pl.len()))
        asked = asked.sort("code")  # in the order of the keys, a binary search finds its neighbours in the cache
        counts = np.zeros(rows.height, dtype=np.int64)
        for (window, start), part in asked.partition_by(["window", "start"], as_dict=True).items():
            of = part["code"].to_numpy()
            panes = range(start, start + self._sizes[window], self._pane_ms)
            counts[part["at"].to_numpy()] = estimates(union(self._of(panes, of)), of)
        return rows.with_columns(unique_visitors=pl.Series(counts))

    def _of(self, panes: Iterable[int], codes: Keys) -> list[Keys]:
        """The keys of these KOLs in each pane that has any."""
        runs = [self._settle(pane) for pane in panes if pane in self._settled or pane in self._fresh]
        return [of_kols(run, codes) for run in runs] if len(runs) > 1 else runs

    def _settle(self, pane: int) -> Keys:
        """A pane's keys, distinct, sorted, at most K a KOL."""
        fresh = self._fresh.pop(pane, None)
        if fresh is not None:
            runs = [self._settled[pane]] if pane in self._settled else []
            self._settled[pane] = smallest(union([*runs, np.sort(np.concatenate(fresh))]))
        return self._settled[pane]

    def forget_before(self, ms: int) -> None:
        """Drops the panes that start before this time, and now and then the KOLs that are in none any more."""
        for panes in (self._settled, self._fresh):
            for pane in [p for p in panes if p < ms]:
                del panes[pane]
        if self._kols.height > 2 * self._kept_kols + SPARE_KOLS:
            self._forget_kols()

    def _forget_kols(self) -> None:
        """Codes anew for the KOLs still held, in their old order: sorted arrays stay sorted."""
        held = {pane: self._settle(pane) for pane in {*self._settled, *self._fresh}}
        old = [keys >> _SHIFT for keys in held.values()]
        live = pl.Series("code", np.concatenate([np.empty(0, np.uint64), *old])).unique().sort()
        renewed = {pane: np.searchsorted(live.to_numpy(), keys >> _SHIFT) for pane, keys in held.items()}
        self._settled = {p: renewed[p].astype(np.uint64) << _SHIFT | keys & _MASK for p, keys in held.items()}
        kept = live.to_frame().join(self._kols, on="code", how="left", maintain_order="left")
        self._kols = kept.select("kol_id", code=pl.int_range(pl.len(), dtype=pl.UInt64))
        self._kept_kols = kept.height

    @property
    def size_bytes(self) -> int:
        """Bytes of the hashes and the KOLs' codes."""
        fresh = sum(keys.nbytes for parts in self._fresh.values() for keys in parts)
        return int(self._kols.estimated_size()) + fresh + sum(keys.nbytes for keys in self._settled.values())

    def snapshot(self) -> pl.DataFrame:
        """``pane, kol_id, hashes``: one row a KOL and pane."""
        parts = [
            pl.DataFrame({"code": keys >> _SHIFT, "hashes": keys & _MASK})
            .group_by("code", maintain_order=True)
            .agg("hashes")
            .join(self._kols, on="code", how="left", maintain_order="left")
            .select(pl.lit(pane, pl.Int64).alias("pane"), "kol_id", "hashes")
            for pane in sorted({*self._settled, *self._fresh})
            if len(keys := self._settle(pane))
        ]
        return pl.concat([pl.DataFrame(schema=_SNAPSHOT), *parts])

    def restore(self, snapshot: pl.DataFrame) -> None:
        """Takes over what ``snapshot()`` gave."""
        rows = snapshot.explode("hashes")
        if rows.height:
            self._keep(rows["pane"].to_numpy(), self._coded(rows["kol_id"]) << _SHIFT | rows["hashes"].to_numpy())


def with_visitors(rows: pl.DataFrame, web: pl.DataFrame, specs: Sequence[WindowSpec]) -> pl.DataFrame:
    """Window rows with ``unique_visitors`` from all web events of their time: the stream's count as one batch."""
    visitors = Visitors(specs)
    visitors.add(web)
    return visitors.counted(rows)


def union(runs: Sequence[Keys]) -> Keys:
    """The distinct keys of sorted runs, sorted."""
    if not runs:
        return np.empty(0, dtype=np.uint64)
    keys = runs[0] if len(runs) == 1 else np.sort(np.concatenate(runs), kind="stable")  # stable: merges runs
    return keys[np.r_[True, keys[1:] != keys[:-1]][: len(keys)]]


def smallest(keys: Keys) -> Keys:
    """The K smallest of each KOL in a sorted array."""
    codes = keys >> _SHIFT
    first = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]][: len(codes)])
    sizes = np.diff(np.r_[first, len(keys)])
    if sizes.max(initial=0) <= K:
        return keys
    return keys[np.arange(len(keys)) - np.repeat(first, sizes) < K]


def of_kols(keys: Keys, codes: Keys) -> Keys:
    """The keys of some KOLs (ascending codes, each once but ``NOBODY``) in a sorted array, sorted."""
    low, high = _bounds(keys, codes)
    sizes = high - low
    if sizes.sum() == len(keys):
        return keys
    return keys[np.repeat(low - np.r_[0, np.cumsum(sizes)[:-1]], sizes) + np.arange(sizes.sum())]


def estimates(keys: Keys, codes: Keys) -> npt.NDArray[np.int64]:
    """Distinct hashes of each KOL in a sorted array of distinct keys: exact below K, by the K-th smallest above.

    Integers throughout, so that no machine rounds otherwise.
    """
    low, high = _bounds(keys, codes)
    counts = high - low
    many = counts >= K
    kth = (keys[low[many] + (K - 1)] & _MASK).astype(np.int64) + 1
    counts[many] = np.maximum(K, ((K - 1) << HASH_BITS) // kth)
    return counts


def _bounds(keys: Keys, codes: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the keys of each code begin and end."""
    if len(codes) * FEW > len(keys) > 0:
        kols = int(keys[-1] >> _SHIFT) + 1
        ends = np.r_[0, np.cumsum(np.bincount((keys >> _SHIFT).astype(np.int64), minlength=kols + 1))]
        place = np.minimum(codes, np.uint64(kols)).astype(np.int64)
        return ends[place], ends[place + 1]
    low = np.searchsorted(keys, codes << _SHIFT, side="left")
    high = np.searchsorted(keys, codes << _SHIFT | _MASK, side="right")
    return low.astype(np.int64), high.astype(np.int64)

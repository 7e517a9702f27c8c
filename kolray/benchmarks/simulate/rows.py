"""A metrics store in memory and the writer in front of it: queued, in order, repeated, late after a crash."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import polars as pl

from kolray.benchmarks.simulate.broker import Owner
from kolray.benchmarks.simulate.disk import Disk
from kolray.benchmarks.simulate.oracle import Row
from kolray.stores.metrics import WINDOW_SCHEMA, Version
from kolray.stream.sinks import IN_FLIGHT

Key = tuple[str, str, int]
_PLACE = {name: at for at, name in enumerate(WINDOW_SCHEMA)}


class RowCache:
    """Frames as tuples, once a frame: the remembered state hands out the same ones again and again."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[pl.DataFrame, list[Row]]] = {}

    def __call__(self, frame: pl.DataFrame) -> list[Row]:
        """Window rows with times in ms."""
        known = self._known.get(id(frame))
        if known is None or known[0] is not frame:
            known = self._known[id(frame)] = frame, frame.with_columns(pl.col("window_start").dt.epoch("ms")).rows()
        return known[1]


class Store:
    """Window rows by key and alert ids. What breaks a rule is noted in ``Disk.broken``.

    Args:
        by_clock: keep the later microsecond whoever wrote it, as Cassandra does; else the greater (epoch, microsecond).
    """

    def __init__(self, disk: Disk, partition_of: dict[str, int], *, by_clock: bool) -> None:
        self._disk, self._partition_of, self._by_clock = disk, partition_of, by_clock
        self.held: dict[Key, tuple[Version, Row]] = {}
        self.alerts: set[tuple[str, str, int]] = set()
        self._floors: dict[Key, tuple[int, int]] = {}

    def claimed(self, partition: int) -> None:
        """A new owner: what open panes show now, its own rows must not fall behind."""
        for key, (_, row) in self.held.items():
            if key[1] == "pane" and self._partition_of[key[0]] == partition:
                self._floors[key] = self._disk.epoch(partition), _events(row)

    def upsert(self, rows: list[Row], version: Version) -> None:
        """Writes rows unless a newer version is there."""
        for row in rows:
            key = row[0], row[1], row[2]
            held = self.held.get(key)
            self._check(key, row, version, held)
            if held is None or self._rank(version) >= self._rank(held[0]):
                self.held[key] = version, row

    def _rank(self, version: Version) -> tuple[int, int]:
        return (0, version.at_us) if self._by_clock else (version.epoch, version.at_us)

    def _check(self, key: Key, row: Row, version: Version, held: tuple[Version, Row] | None) -> None:
        newest = version.epoch == self._disk.epoch(self._partition_of[key[0]])
        if held is not None and held[0].epoch != version.epoch:
            newer_wins = self._rank(version) > self._rank(held[0])
            if newer_wins != (version.epoch > held[0].epoch):
                self._disk.broken.append(f"row {key}: {version} and {held[0]} of an earlier owner are in wrong order")
        if newest and key[1] == "pane" and key in self._floors:
            claim, floor = self._floors[key]
            if claim == version.epoch and _events(row) < floor:
                self._disk.broken.append(f"pane {key} fell from {floor} events to {_events(row)} after a restart")

    def final(self) -> frozenset[Row]:
        """The rows with ``final``."""
        return frozenset(row for _, row in self.held.values() if row[_PLACE["final"]])


def _events(row: Row) -> int:
    return int(row[_PLACE["events"]] + row[_PLACE["web_events"]])


class QueuedWriter:
    """A ``RowWriter`` whose background work happens when chance says so, at the latest in ``flush``.

    Args:
        wait: lets time pass while the store is away.
    """

    def __init__(self, store: Store, cache: RowCache, owner: Owner, chance: Random, wait: Callable[[], None]) -> None:
        self._store, self._cache, self._owner, self._chance, self._wait = store, cache, owner, chance, wait
        self.queue: list[Callable[[], None]] = []

    def windows(self, rows: pl.DataFrame, version: Version) -> None:
        if rows.height:
            plain = self._cache(rows)
            self._submit(lambda: self._store.upsert(plain, version))

    def alerts(self, rows: pl.DataFrame, version: Version) -> None:
        del version
        if rows.height:
            found = {alert_key(row) for row in rows.iter_rows(named=True)}
            self._submit(lambda: self._store.alerts.update(found))

    def _submit(self, write: Callable[[], None]) -> None:
        self.queue.append(write)
        while len(self.queue) > IN_FLIGHT or (self.queue and self._chance.random() < 0.4):
            self._write_one()

    def _write_one(self) -> None:
        while self._owner.away("store"):
            self._wait()
        self._owner.at("upsert before")
        if not self.queue:
            return
        self.queue[0]()
        if not self._owner.at("upsert after"):  # with the answer lost the same rows are written again
            self.queue.pop(0)

    def refresh_live(self) -> None: ...

    def flush(self) -> None:
        self._owner.at("flush")
        while self.queue:
            self._write_one()

    def close(self) -> None:
        self.queue = []


def alert_key(row: dict[str, Any]) -> tuple[str, str, int]:
    """(rule, KOL, start of the window in ms) of an alert."""
    return row["rule"], row["kol_id"], int(row["window_start"].timestamp() * 1000)

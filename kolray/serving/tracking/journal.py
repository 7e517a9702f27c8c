"""Hits on disk until Kafka has them: files of JSON lines in a folder of this process, taken over when it is gone."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kolray.clock import from_ms, to_ms
from kolray.errors import ServiceUnavailableError

Rows = list[dict[str, Any]]
SUFFIX = ".hits"


@dataclass(frozen=True)
class Segment:
    """A file to which nothing is appended any more, still open."""

    path: Path
    descriptor: int

    def settle(self) -> None:
        """Has the disk write it, which may take a while, and closes it."""
        try:
            os.fdatasync(self.descriptor)
        finally:
            os.close(self.descriptor)


class Journal:
    """Appends hits to the open segment; segments that Kafka has are deleted.

    A line is handed to the kernel before ``append`` returns: it outlives the process. ``settle`` waits for the disk.

    Args:
        root: each process has a folder of its own in it, locked while it lives.
        limit_bytes: what may lie here while Kafka is away.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self._root, self.limit_bytes, self._held, self._open_size = root, limit_bytes, 0, 0
        self._folder = root / secrets.token_hex(8)
        self._folder.mkdir(parents=True)
        self._lock = _locked(self._folder)
        self._number = 0
        self._begin()

    @property
    def held_bytes(self) -> int:
        """Of the hits that Kafka does not have yet."""
        return self._held

    def append(self, rows: Rows) -> None:
        """Keeps hits.

        Raises:
            ServiceUnavailableError: there is no more room; nothing of them was kept.
        """
        lines = b"".join(json.dumps(row | {"event_time": to_ms(row["event_time"])}).encode() + b"\n" for row in rows)
        if self._held + len(lines) > self.limit_bytes:
            raise ServiceUnavailableError("tracking", str(self._folder), "Kafka is away and the room for hits is full")
        written = os.write(self._descriptor, lines)
        if written != len(lines):
            os.ftruncate(self._descriptor, self._open_size)
            raise ServiceUnavailableError("tracking", str(self._folder), "the disk is full")
        self._held += written
        self._open_size += written

    def rotate(self) -> Segment:
        """Takes the open segment away, to be settled, and begins another."""
        taken = Segment(self._path, self._descriptor)
        self._begin()
        return taken

    def done(self, segment: Path) -> None:
        """Kafka has everything of a segment."""
        self._held -= segment.stat().st_size
        segment.unlink()

    def orphans(self) -> Iterator[tuple[Path, Rows]]:
        """Segments that dead processes left, with their hits; deleted when the next one is asked for."""
        for folder in sorted(self._root.iterdir()):
            if folder == self._folder or (lock := _locked(folder)) is None:
                continue
            for segment in sorted(folder.glob(f"*{SUFFIX}")):
                yield segment, read_segment(segment)
                segment.unlink()
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
            os.close(lock)

    def close(self) -> None:
        """Leaves what is not sent to whoever comes next."""
        os.close(self._descriptor)
        if self._lock is not None:
            os.close(self._lock)

    def _begin(self) -> None:
        self._path = self._folder / f"{self._number:010d}{SUFFIX}"
        self._number += 1
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._open_size = 0


def read_segment(segment: Path) -> Rows:
    """The hits of a segment; a last line torn by a crash was never answered for."""
    rows = []
    for line in segment.read_bytes().split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows.append(row | {"event_time": from_ms(row["event_time"])})
    return rows


def _locked(folder: Path) -> int | None:
    """A lock that ends with this process; None while another holds it."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor

"""Notices that the patterns file has changed. Everything behind it is pure: who calls passes the new rules on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from kolray.clock import Clock
from kolray.errors import SettingsError
from kolray.stream.patterns.declare import Pattern
from kolray.stream.patterns.reading import RULES, parse, read

log = logging.getLogger(__name__)

CHECK_EVERY_S = 1.0


class PatternsFile:
    """The rules of a file, read again after it changed; one that cannot be used leaves the rules as they were.

    Raises:
        SettingsError: at the start, with a file that cannot be used.
    """

    def __init__(self, path: Path, windows: Sequence[str], clock: Clock) -> None:
        self._path, self._windows, self._clock = path, windows, clock
        self._mark = self._stamp()
        self._content = self._bytes()
        self._rules = read(path, windows)
        self._next = clock.monotonic() + CHECK_EVERY_S

    def rules(self) -> tuple[Pattern, ...]:
        """The newest rules that can be used: the same object until they change. Looks at most once a second."""
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + CHECK_EVERY_S
            self._look()
        return self._rules

    def _look(self) -> None:
        mark = self._stamp()
        if mark == self._mark:
            return
        self._mark, content = mark, self._bytes()
        if content == self._content:
            return
        self._content = content
        try:
            if content is None:
                raise SettingsError(f"{self._path}: the patterns file is gone or cannot be read; put it back")
            rules = parse(content.decode(errors="replace"), str(self._path), self._windows)
        except SettingsError as error:
            log.error("patterns stay as they were: %s", error)
            return
        if rules != self._rules:
            self._rules = rules
            log.info("%s: %d patterns from the next closed window on", self._path, len(rules))

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _bytes(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None


def open_rules(path: str | None, windows: Sequence[str], clock: Clock) -> Callable[[], tuple[Pattern, ...]]:
    """Where a shard asks for its rules: a watched file, or what kolray ships. Raises as ``PatternsFile``."""
    return PatternsFile(Path(path), windows, clock).rules if path else lambda: RULES

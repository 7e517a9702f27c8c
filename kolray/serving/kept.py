"""A value that is dear to make and may be some seconds old."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Makes it when it is asked for, and again when it is older than ``keep_s``; others wait while one makes it.

    A ``make`` that fails fails for who asked, and the next one tries anew.
    """

    def __init__(self, make: Callable[[], Value], keep_s: float) -> None:
        self._make, self._keep_s = make, keep_s
        self._lock = threading.Lock()
        self._held: tuple[float, Value] | None = None

    def get(self) -> Value:
        """The value, at most ``keep_s`` old."""
        with self._lock:
            if self._held is None or time.monotonic() - self._held[0] > self._keep_s:
                self._held = (time.monotonic(), self._make())
            return self._held[1]

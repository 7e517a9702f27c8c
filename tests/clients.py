"""Clients that ask a server all the while something is done to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Self


class Clients:
    """A thread for each of ``ask``, from the beginning of a block to its end, when ``stopped`` is set."""

    def __init__(self, *ask: Callable[[], None]) -> None:
        self.stopped = threading.Event()
        self._threads = [threading.Thread(target=each) for each in ask]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join()

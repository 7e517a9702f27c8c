"""Who asks for what is being made already waits for that."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

Made = TypeVar("Made")


class SingleFlight:
    """Within this process; threads share the result, or the error.

    >>> SingleFlight().run("a", lambda: 1)
    1
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flights: dict[Hashable, Future[Any]] = {}

    def run(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` returns, by this call or by the one of the same key that is under way."""
        with self._lock:
            under_way = self._flights.get(key)
            mine = under_way or self._flights.setdefault(key, Future())
        if under_way is not None:
            return under_way.result()
        try:
            made = make()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(made)
            return made
        finally:
            with self._lock:
                del self._flights[key]

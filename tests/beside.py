"""A supervisor runs while something is done beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from kolray.stream.actors import Supervisor


def run_beside(supervisor: Supervisor, act: Callable[[], None]) -> None:
    """Runs until ``act``, in a thread of its own, is over."""

    def follow() -> None:
        try:
            act()
        finally:
            supervisor.stop()

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        supervisor.run()
    finally:
        thread.join()
        supervisor.close()

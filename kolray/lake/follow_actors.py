"""Ray shell of continuous bronze: an actor a follower, which Ray starts again where its process dies. [ray]"""

import os
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from kolray.clock import SystemClock, to_ms
from kolray.errors import KolrayError
from kolray.lake.follow import FOLLOW_FILE, follow, shares
from kolray.observability.logs import set_up_logs
from kolray.settings import Settings
from kolray.stream.status import StatusFile

LOOK_S = 1.0
"""Seconds between looks at the followers."""
END_S = 60.0
"""Seconds that the last micro-batch of a follower may take."""


@ray.remote(num_cpus=0.5, max_restarts=-1, max_task_retries=-1, concurrency_groups={"ctl": 1})
class FollowActor:
    """A follower in a process of its own. ``run`` begins where the tables stand, so Ray may repeat it."""

    def __init__(self, settings: Settings, partitions: list[int]) -> None:
        set_up_logs(as_json=settings.observe.json_logs)
        self._settings, self._partitions = settings, partitions
        self._stop = threading.Event()
        self._added: Counter[str] = Counter()

    def run(self) -> None:
        """Follows until ``stop``."""
        again = bool(ray.get_runtime_context().was_current_actor_reconstructed)
        follow(self._settings, self._partitions, SystemClock(), self._stop.is_set, self._tell, patient=again)

    def _tell(self, added: Counter[str]) -> None:
        self._added = added

    @ray.method(concurrency_group="ctl")
    def status(self) -> tuple[int, Counter[str]]:
        """This process, and the rows that it added by table."""
        return os.getpid(), self._added

    @ray.method(concurrency_group="ctl")
    def stop(self) -> None:
        """Ends ``run`` after a last micro-batch."""
        self._stop.set()


class Followers:
    """The actors of one `kolray lake bronze --follow`."""

    def __init__(self, settings: Settings) -> None:
        groups = shares(settings.kafka.partitions, settings.lake.followers)
        self._actors = [FollowActor.remote(settings, group) for group in groups]  # type: ignore[attr-defined]
        self._runs = [actor.run.remote() for actor in self._actors]
        self._added: dict[int, Counter[str]] = {}
        """By process: one that died has added what it last said, or a little more."""
        self.pids: dict[int, int] = {}
        """Number of a follower → its process, as last seen."""

    @property
    def added(self) -> dict[str, int]:
        """Rows added to each table."""
        return dict(sorted(sum(self._added.values(), Counter()).items()))

    def look(self) -> None:
        """Waits a moment, and for what the followers say.

        Raises:
            KolrayError: one of them cannot go on.
        """
        ended, _ = ray.wait(self._runs, timeout=LOOK_S)
        try:
            ray.get(ended)
        except RayTaskError as error:
            raise (error.cause if isinstance(error.cause, KolrayError) else error) from error
        asked = {actor.status.remote(): number for number, actor in enumerate(self._actors)}
        for ref in ray.wait(list(asked), num_returns=len(asked), timeout=LOOK_S)[0]:
            self._answered(asked[ref], ref)

    def _answered(self, number: int, ref: Any) -> None:
        try:
            pid, added = ray.get(ref)
        except RayError:
            return  # it is being started again
        self.pids[number], self._added[pid] = pid, added

    def stop(self) -> None:
        """Ends all followers after a last micro-batch; one that does not end in time is killed, which loses nothing."""
        for actor in self._actors:
            actor.stop.remote()
        ray.wait(self._runs, num_returns=len(self._runs), timeout=END_S)
        asked = [actor.status.remote() for actor in self._actors]
        for number, ref in enumerate(asked):
            if ray.wait([ref], timeout=LOOK_S)[0]:
                self._answered(number, ref)
        for actor in self._actors:
            ray.kill(actor)


def run_follow(settings: Settings, stop: threading.Event, on_rows: Callable[[dict[str, int]], None]) -> dict[str, int]:
    """Follows the topics into bronze on the Ray that is there until ``stop`` is set.

    Returns:
        Rows added to each table, as far as the followers told before they died.

    Raises:
        KolrayError: a follower cannot go on.
    """
    followers, file = Followers(settings), StatusFile(settings.home, file=FOLLOW_FILE)
    try:
        while not stop.is_set():
            followers.look()
            on_rows(followers.added)
            file.write(_told("running", followers.added))
        file.write(_told("ended", followers.added))  # before the last micro-batch, which may take a while
    finally:
        followers.stop()
    file.write(_told("ended", followers.added))
    return followers.added


def _told(state: str, added: dict[str, int]) -> dict[str, Any]:
    return {"state": state, "at": to_ms(SystemClock().now()) / 1000, "pid": os.getpid(), "rows": added}

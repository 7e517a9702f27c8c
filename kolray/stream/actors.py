"""Ray shell of the stream: places shards as actors, watches them, starts them again. [ray]"""

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayActorError

from kolray.errors import KolrayError
from kolray.local.cluster import join_ray
from kolray.protocols import TextClassifier
from kolray.settings import Settings
from kolray.stream.build import build_shard
from kolray.stream.state import Counters

log = logging.getLogger(__name__)

ClassifierFactory = Callable[[], TextClassifier]
"""Called in the shard's process: a restarted actor gets its arguments again, so they must be small."""


@ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=0, concurrency_groups={"ctl": 1})
class ShardActor:
    """A shard in a process of its own. A restart runs the constructor again, which restores from the checkpoint."""

    def __init__(
        self, settings: Settings, partitions: list[int], until_end: bool, classifier: ClassifierFactory | None
    ) -> None:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
        logging.getLogger("kafka").setLevel(logging.WARNING)
        self._stop = threading.Event()
        self._shard = build_shard(
            settings, partitions, until_end=until_end, classifier=classifier() if classifier else None
        )
        self._shard.restore()

    def run(self) -> dict[str, Any]:
        """Loops until the input ends (a bounded run) or ``stop``; returns the last status."""
        while not self._stop.is_set() and not self._shard.finished:
            self._shard.step()
        status = self._shard.status()
        self._shard.close()
        return status

    @ray.method(concurrency_group="ctl")
    def status(self) -> dict[str, Any]:
        """Counters and progress, while ``run`` is busy."""
        return self._shard.status() | {"pid": os.getpid()}

    @ray.method(concurrency_group="ctl")
    def stop(self) -> None:
        """Ends ``run`` after the round it is in."""
        self._stop.set()


def totals(statuses: list[dict[str, Any]]) -> dict[str, int]:
    """Counters summed over the partitions of all shards."""
    counters = [part for status in statuses for part in status["partitions"].values()]
    return {name: sum(part[name] for part in counters) for name in Counters.__dataclass_fields__}


class Supervisor:
    """Spreads the partitions over shard actors and runs them until they end.

    Args:
        until_end: a bounded run: every shard ends at its logs' ends.
    """

    def __init__(
        self, settings: Settings, *, until_end: bool = False, classifier: ClassifierFactory | None = None
    ) -> None:
        numbers = range(settings.kafka.partitions)
        shards = min(settings.stream.shards, settings.kafka.partitions)
        self._actors = [
            ShardActor.options(name=None).remote(settings, list(numbers[i::shards]), until_end, classifier)  # type: ignore[attr-defined]
            for i in range(shards)
        ]
        self.restarts = 0

    def run(self, on_status: Callable[[list[dict[str, Any]]], None] | None = None) -> list[dict[str, Any]]:
        """Blocks until every shard ended; a shard that died is run again from its checkpoint.

        Raises:
            KolrayError: a shard cannot go on (wrong settings, fenced, a checkpoint of another broker).
        """
        running = {actor.run.remote(): actor for actor in self._actors}
        results = []
        while running:
            done, _ = ray.wait(list(running), timeout=1.0)
            for ref in done:
                actor = running.pop(ref)
                outcome = self._outcome(ref)
                if outcome is None:
                    self.restarts += 1
                    running[actor.run.remote()] = actor
                else:
                    results.append(outcome)
            if on_status is not None:
                on_status(self.status())
        return results

    @staticmethod
    def _outcome(ref: Any) -> dict[str, Any] | None:
        try:
            return ray.get(ref)
        except RayActorError as error:
            cause = getattr(error, "cause", None) or error.__cause__
            if isinstance(cause, KolrayError):
                raise cause from error
            if "The actor died because of an error raised in its creation task" in str(error):
                raise KolrayError(f"a shard could not start: {str(error).splitlines()[-1]}") from error
            log.warning("a shard died and is started again from its checkpoint")
            time.sleep(0.5)
            return None
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, KolrayError):
                raise cause from error
            raise

    def status(self) -> list[dict[str, Any]]:
        """One status a shard that answers within a second."""
        answers = [actor.status.remote() for actor in self._actors]
        done, _ = ray.wait(answers, num_returns=len(answers), timeout=1.0)
        out = []
        for ref in done:
            try:
                out.append(ray.get(ref))
            except (RayActorError, ray.exceptions.RayTaskError):
                continue
        return out

    def stop(self) -> None:
        """Asks every shard to end after its round."""
        for actor in self._actors:
            actor.stop.remote()

    def kill(self, index: int) -> None:
        """Kills one shard's process, as a crash would; Ray starts it again. For the crash tests."""
        ray.kill(self._actors[index], no_restart=False)

    def close(self) -> None:
        """Ends the actors."""
        for actor in self._actors:
            ray.kill(actor)


def run_stream(
    settings: Settings,
    classifier: ClassifierFactory | None,
    *,
    until_end: bool,
    on_totals: Callable[[dict[str, int]], None] | None = None,
) -> dict[str, int]:
    """Runs all shards on the Ray that is there, the one ``RAY_ADDRESS`` names, or one of its own.

    Returns the summed counters and ``restarts``; without ``until_end`` it returns only after ``stop``.
    """
    join_ray(settings.stream.shards)
    supervisor = Supervisor(settings, until_end=until_end, classifier=classifier)
    try:
        results = supervisor.run(lambda statuses: on_totals(totals(statuses)) if on_totals else None)
    finally:
        supervisor.close()
    return totals(results) | {"restarts": supervisor.restarts}

"""Ray shell of the stream: places shards as actors, looks at them, does what ``supervision.py`` decides. [ray]"""

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from kolray.clock import SystemClock, to_ms
from kolray.errors import ServiceUnavailableError
from kolray.local.cluster import join_ray
from kolray.observability.logs import set_up_logs
from kolray.protocols import BatchScorer, TextClassifier
from kolray.settings import Settings
from kolray.stores.redis_connection import RedisConnection
from kolray.stores.stream_pulse import StreamPulse
from kolray.stream.build import Models, build_shard
from kolray.stream.checkpoint import RunMark
from kolray.stream.objects import open_objects
from kolray.stream.placement import Placement
from kolray.stream.sentiment import FindModel, no_model
from kolray.stream.status import StatusFile, report, totals
from kolray.stream.supervision import Supervision

log = logging.getLogger(__name__)

ClassifierFactory = Callable[[], TextClassifier]
ScorerFactory = Callable[[], BatchScorer]
STATUS_S = 1.0
"""Seconds between looks at the shards, and between publications."""
ANSWER_S = 0.1
"""Seconds an answer may take to be in this publication; a shard that hangs costs the others no more."""
PULSE_S = 0.5
"""Seconds Redis may take to be told."""


@ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, concurrency_groups={"ctl": 1})
class ShardActor:
    """A shard in a process of its own. It lives once: the supervisor makes another one, which restores."""

    def __init__(self, settings: Settings, partitions: list[int], until_end: bool, models: Models) -> None:
        set_up_logs(as_json=settings.observe.json_logs)
        self._settings, self._partitions, self._until_end = settings, partitions, until_end
        self._models = models
        self._stop = threading.Event()
        self._beats = 0
        self._status: dict[str, Any] = {}

    def _beat(self) -> None:
        self._beats += 1

    def run(self) -> dict[str, Any]:
        """Restores, then loops until the input ends (a bounded run) or ``stop``; returns the last status."""
        shard = build_shard(self._settings, self._partitions, self._models, until_end=self._until_end, beat=self._beat)
        shard.restore()
        self._status, looked = shard.status(), time.monotonic()  # its first round may wait for a store for long
        while not self._stop.is_set() and not shard.finished:
            shard.step()
            if time.monotonic() - looked >= STATUS_S / 2:
                self._status, looked = shard.status(), time.monotonic()
        self._status = shard.status()
        shard.close()
        return self._status

    @ray.method(concurrency_group="ctl")
    def status(self) -> dict[str, Any]:
        """The newest status of ``run`` (nothing before it has restored), ``beats``, ``pid`` and its node's address."""
        return self._status | {"beats": self._beats, "pid": os.getpid(), "node": ray.util.get_node_ip_address()}

    @ray.method(concurrency_group="ctl")
    def stop(self) -> None:
        """Ends ``run`` after the round it is in."""
        self._stop.set()


class Supervisor:
    """Spreads the partitions over shard actors and runs them until they end.

    Args:
        until_end: a bounded run: every shard ends at its logs' ends.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        until_end: bool = False,
        classifier: ClassifierFactory | None = None,
        older: FindModel = no_model,
        scorer: ScorerFactory | None = None,
    ) -> None:
        numbers = range(settings.kafka.partitions)
        shards = min(settings.stream.shards, settings.kafka.partitions)
        groups = [list(numbers[i::shards]) for i in range(shards)]
        self.watch = Supervision(groups, SystemClock(), settings.stream.hang_after_s, until_end)
        self._settings, self._until_end = settings, until_end
        self._models = Models(classifier, older, scorer)
        self._placement = Placement(SystemClock())
        self._actors: dict[int, Any] = {}
        self._runs: dict[Any, int] = {}
        self._asked: dict[Any, int] = {}
        self._answers: dict[int, dict[str, Any]] = {}
        self._mark = RunMark(open_objects(settings.checkpoints, settings.s3), uuid.uuid4().hex)
        self._file = StatusFile(settings.home)
        self._pulse = StreamPulse(settings.redis, RedisConnection(settings.redis, hurry_s=PULSE_S))

    @property
    def restarts(self) -> int:
        """Starts of all shards beyond their first."""
        return self.watch.restarts

    def run(self, on_status: Callable[[list[dict[str, Any]]], None] | None = None) -> list[dict[str, Any]]:
        """Blocks until every shard ended; a shard that died, hung or failed is run again from its checkpoint.

        Raises:
            KolrayError: a shard cannot go on (wrong settings, a checkpoint of another broker, another run took over).
        """
        self._mark.take()
        while not self.watch.done:
            for index in self.watch.due():
                self._start(index)
            self._look()
            for index in self.watch.hung():
                self._drop(index)
                self.watch.hangs(index)
                log.warning("shard %d: %s; replaced", index, self.watch.shards[index].reason)
            if on_status is not None:
                on_status(self.status())
        return self.status()

    def _start(self, index: int) -> None:
        partitions = self.watch.shards[index].partitions
        actor = ShardActor.options(scheduling_strategy=self._where(index)).remote(  # type: ignore[attr-defined]
            self._settings, partitions, self._until_end, self._models
        )
        self._actors[index] = actor
        self._runs[actor.run.remote()] = index
        self.watch.started(index)

    def _where(self, index: int) -> Any:
        """By node: Ray's own ``SPREAD`` has put all of three shards on one of three nodes."""
        able = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
        node = self._placement.choose(index, sorted(each["NodeID"] for each in able))
        if node is None:
            return "SPREAD"
        # A node whose CPUs others have taken meanwhile would be waited for without end.
        return NodeAffinitySchedulingStrategy(node, soft=True, _spill_on_unavailable=True)

    def _look(self) -> None:
        """Waits for the next second or the first end of a shard; takes what the shards answer."""
        if self._runs:
            ray.wait(list(self._runs), timeout=STATUS_S)
        else:
            time.sleep(STATUS_S / 10)
        for index, actor in self._actors.items():
            if index not in self._asked.values():
                self._asked[actor.status.remote()] = index
        if self._asked:
            ray.wait(list(self._asked), num_returns=len(self._asked), timeout=ANSWER_S)
        for ref in _ready(self._asked):
            self._answered(ref, self._asked.pop(ref))
        for ref in _ready(self._runs):
            self._ended(ref, self._runs.pop(ref))
        self.publish("running")

    def _answered(self, ref: Any, index: int) -> None:
        try:
            answer = ray.get(ref)
        except RayError:
            return  # its run tells why
        parts = answer.get("partitions")
        if parts:
            self._answers[index] = answer
        self.watch.beat(index, answer["beats"], sum(part["checkpoint"] for part in parts.values()) if parts else None)

    def _ended(self, ref: Any, index: int) -> None:
        try:
            self._answers[index] = {"node": self._answers.get(index, {}).get("node")} | ray.get(ref)
        except RayActorError:
            self._drop(index)
            self.watch.died(index)
        except RayTaskError as error:
            self._drop(index)
            cause = error.cause if isinstance(error.cause, Exception) else error
            self.watch.failed(index, cause, taken_over=not self._mark.held())
        else:
            self.watch.ended(index)
            return
        log.warning("shard %d: %s; started again from its checkpoint", index, self.watch.shards[index].reason)

    def _drop(self, index: int) -> None:
        """Lets go of an actor: killed where it can be; what it still does is fenced."""
        actor = self._actors.pop(index)
        self._placement.lost(index)
        for known in (self._runs, self._asked):
            for ref in [ref for ref, of in known.items() if of == index]:
                del known[ref]
        ray.kill(actor)

    def status(self) -> list[dict[str, Any]]:
        """The newest status known of each shard."""
        return list(self._answers.values())

    def publish(self, state: str) -> None:
        """Writes the status file, and tells Redis, if it is there: the stream goes on without."""
        told = report(self.watch, self._answers, state, to_ms(SystemClock().now()) / 1000)
        self._file.write(told)
        with suppress(ServiceUnavailableError):
            self._pulse.put_stream(told)

    def stop(self) -> None:
        """Asks every shard to end after its round."""
        for actor in self._actors.values():
            actor.stop.remote()

    def kill(self, index: int) -> None:
        """Kills one shard's process, as a crash would. For the crash tests."""
        if index in self._actors:
            ray.kill(self._actors[index])

    def close(self) -> None:
        """Ends the actors."""
        for actor in self._actors.values():
            ray.kill(actor)
        self.publish("ended")


def _ready(refs: dict[Any, int]) -> list[Any]:
    return ray.wait(list(refs), num_returns=len(refs), timeout=0)[0] if refs else []


def run_stream(
    settings: Settings,
    classifier: ClassifierFactory | None,
    scorer: ScorerFactory | None = None,
    *,
    until_end: bool,
    older: FindModel = no_model,
    on_totals: Callable[[dict[str, int]], None] | None = None,
) -> dict[str, int]:
    """Runs all shards on the Ray that is there, the one ``RAY_ADDRESS`` names, or one of its own.

    Returns the summed counters and ``restarts``; without ``until_end`` it returns only after ``stop``.
    """
    join_ray(settings.stream.shards)
    supervisor = Supervisor(settings, until_end=until_end, classifier=classifier, older=older, scorer=scorer)
    try:
        results = supervisor.run(lambda statuses: on_totals(totals(statuses)) if on_totals else None)
    finally:
        supervisor.close()
    return totals(results) | {"restarts": supervisor.restarts}

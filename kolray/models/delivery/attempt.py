"""A challenger on trial, from the note that begins it until no replica is on it any more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kolray.clock import Clock
from kolray.errors import ServiceUnavailableError
from kolray.models.audit import Audit
from kolray.models.delivery.judgement import Judgement, Outcome
from kolray.models.delivery.trial import Trial, end_trial, read_trial
from kolray.models.registry import CHAMPION, ModelRegistry
from kolray.stores.trials import BEGIN, Evidence, TrialLog

LOOK_S = 0.5
TAKEN_S = 30
"""Seconds replicas have to take up a trial, or to leave it."""
BY_HAND: tuple[Outcome, str] = ("rolled_back", "taken back by hand")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Attempt:
    """What it takes to try a challenger. The trial is ours while the registry says so: whoever stops it need not reach
    this process, and what comes after it is not ours to end.
    """

    registry: ModelRegistry
    log: TrialLog
    trial: Trial
    judgement: Judgement
    audit: Audit
    clock: Clock
    say: Say

    def run(self) -> tuple[Outcome, str, float]:
        """Outcome, reason, and the seconds from the decision until no replica was on trial any more.

        Raises:
            ServiceUnavailableError: no replica takes it up, some do not leave it, or a server is away.
        """
        self.audit.add("canary", until=self.trial.until)
        outcome: tuple[Outcome, str] = ("rolled_back", "interrupted")
        self.trial.note(self.registry)
        try:
            self._await(lambda states: set(states) == {self.trial.key} or not self._ours())
            decision = self._watched()
            decided = self.clock.monotonic()
            outcome = self._settled(*decision)
        except Exception as error:  # whatever it was, the trail says it
            outcome = ("rolled_back", str(error))
            raise
        finally:
            try:
                end_trial(self.registry, self.trial)
            finally:  # what was promoted is in the trail, whatever fails after it
                self.audit.add(outcome[0], reason=outcome[1], kols=self.judgement.test.n, gain=self.judgement.test.gain)
        self._await(lambda states: self.trial.key not in states)
        return *outcome, self.clock.monotonic() - decided

    def _watched(self) -> tuple[Outcome, str]:
        place = BEGIN
        while self.judgement.outcome is None:
            if self._taken_back():
                return BY_HAND
            if self.clock.now() >= self.trial.until:
                return "rolled_back", f"not decided in time: {self.judgement}"
            place, found = self._read(place)
            for evidence in found:
                self.judgement.see(evidence)
            self.say(str(self.judgement))
            self.clock.sleep(0 if found else LOOK_S)
        return self.judgement.outcome

    def _read(self, place: str) -> tuple[str, list[Evidence]]:
        try:
            return self.log.read(self.trial.key, place)
        except ServiceUnavailableError as error:  # the trial has an end, and replicas go on without Redis too
            self.say(str(error))
            return place, []

    def _taken_back(self) -> bool:
        """Whether somebody stopped it. A registry that is away does not tell: replicas stay on trial without it too."""
        try:
            return not self._ours()
        except Exception as error:  # MLflow's and its database's own too
            self.say(f"the registry does not answer: {error}")
            return False

    def _settled(self, outcome: Outcome, reason: str) -> tuple[Outcome, str]:
        """Promotes what is to be promoted, unless somebody did something else meanwhile."""
        if outcome != "promoted":
            return outcome, reason
        if self.registry.alias_version(self.trial.name, CHAMPION) != self.trial.champion:
            return "rolled_back", "another version became champion meanwhile"
        if not self._ours():
            return BY_HAND
        self.registry.set_alias(self.trial.name, self.trial.challenger, CHAMPION)
        return outcome, reason

    def _ours(self) -> bool:
        found = read_trial(self.registry, self.trial.name)
        return found is not None and found.key == self.trial.key

    def _await(self, holds: Callable[[Sequence[str]], bool]) -> None:
        await_replicas(self.log, self.trial.name, self.clock, holds)


def await_replicas(log: TrialLog, name: str, clock: Clock, holds: Callable[[Sequence[str]], bool]) -> None:
    """Until what all replicas of a model do fits.

    Raises:
        ServiceUnavailableError: it did not within ``TAKEN_S``.
    """
    began, advice = clock.monotonic(), "is `kolray serve` running, on this registry and this Redis?"
    while True:
        problem = ServiceUnavailableError("Serving", "its replicas did not take up what the registry says", advice)
        try:
            if holds(list(log.states(name).values())):
                return
        except ServiceUnavailableError as away:
            problem = away
        if clock.monotonic() - began > TAKEN_S:
            raise problem
        clock.sleep(LOOK_S)

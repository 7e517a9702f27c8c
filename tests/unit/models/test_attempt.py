"""A trial ends as it was decided, unless somebody else decided meanwhile; the trail tells all of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from kolray.errors import ServiceUnavailableError
from kolray.models.audit import Audit, history
from kolray.models.delivery.attempt import BY_HAND, LOOK_S, Attempt
from kolray.models.delivery.judgement import Judgement, Plan
from kolray.models.delivery.trial import Trial, end_trial, read_trial
from kolray.models.registry import CHAMPION
from kolray.stores.trials import Evidence
from kolray.testing.clock import FakeClock

HOUR = timedelta(hours=1)
GOOD = [Evidence(f"kol-{n}", 50.0, 60.0, by_challenger=True) for n in range(40)]


class Kept:
    """Notes, aliases and tags, as ``ModelRegistry`` has them; ``asked`` is called when the champion is asked for."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}
        self.aliases = {CHAMPION: 1}
        self.told: dict[int, dict[str, str]] = {1: {"digest": "a"}, 2: {"loss": "0.1"}}
        self.asked: Callable[[], None] = lambda: None

    def note(self, name: str, key: str, text: str) -> None:
        self.notes[key] = text

    def noted(self, name: str, key: str) -> str | None:
        return self.notes.get(key)

    def alias_version(self, name: str, alias: str) -> int:
        self.asked()
        return self.aliases[alias]

    def set_alias(self, name: str, version: int, alias: str) -> None:
        self.aliases[alias] = version

    def tag(self, name: str, version: int, key: str, text: str) -> None:
        self.told[version][key] = text

    def tags(self, name: str, version: int) -> dict[str, str]:
        return self.told[version]

    def versions(self, name: str) -> dict[int, dict[str, str]]:
        return self.told


class Replicas:
    """One replica that follows what the registry notes ``late`` looks later, and clients that ask it."""

    def __init__(self, registry: Kept, late: int = 1) -> None:
        self._registry, self._late, self._seen = registry, late, ["none"] * late
        self.evidence: list[Evidence] = GOOD
        self.read_first: Callable[[], None] = lambda: None

    def states(self, name: str) -> dict[str, str]:
        told = read_trial(self._registry, name)  # type: ignore[arg-type]
        self._seen.append(told.key if told else "none")
        return {"a": self._seen[-1 - self._late]}

    def read(self, key: str, after: str) -> tuple[str, list[Evidence]]:
        self.read_first()
        return "1-0", self.evidence


class Tried:
    """Version 2 on trial against version 1, by clients whose answers say that it is better."""

    def __init__(self, late: int = 1) -> None:
        self.registry, self.clock = Kept(), FakeClock()
        self.log = Replicas(self.registry, late)
        self.audit = Audit(self.registry, "trust", 2, self.clock)  # type: ignore[arg-type]
        self.trial = Trial("trust", 1, 2, 10, self.audit.begun, self.clock.now() + HOUR / 12)
        judgement = Judgement(Plan(), lambda _: 0.2)
        self.attempt = Attempt(
            self.registry,  # type: ignore[arg-type]
            self.log,  # type: ignore[arg-type]
            self.trial,
            judgement,
            self.audit,
            self.clock,
            lambda _: None,
        )

    def stop(self) -> None:
        """As ``--stop`` in another process does."""
        Audit(self.registry, "trust", 2, self.clock, self.trial.begun).add("stopped")  # type: ignore[arg-type]
        end_trial(self.registry, self.trial)  # type: ignore[arg-type]

    @property
    def steps(self) -> list[str]:
        return [step["step"] for step in self.audit.steps]

    @property
    def running(self) -> Trial | None:
        return read_trial(self.registry, "trust")  # type: ignore[arg-type]


@pytest.mark.parametrize("late", [1, 4])
def test_the_better_is_promoted_and_what_replicas_took_to_follow_counts_from_the_decision(late: int) -> None:
    tried = Tried(late)
    outcome, _, switched_s = tried.attempt.run()
    assert (outcome, tried.registry.aliases[CHAMPION], tried.running) == ("promoted", 2, None)
    assert switched_s == late * LOOK_S
    assert tried.steps == ["canary", "promoted"]


def test_one_stopped_by_hand_is_not_promoted_by_evidence_that_was_kept_before() -> None:
    tried = Tried()
    tried.log.read_first = tried.stop
    assert tried.attempt.run()[:2] == BY_HAND
    assert (tried.registry.aliases[CHAMPION], tried.running) == (1, None)
    assert tried.steps == ["canary", "stopped", "rolled_back"]


def test_one_stopped_while_nothing_is_known_ends_at_the_next_look() -> None:
    tried = Tried()
    tried.log.evidence, tried.log.read_first = [], tried.stop
    assert tried.attempt.run()[:2] == BY_HAND
    assert tried.clock.now() < tried.trial.begun + timedelta(seconds=5)


def test_one_stopped_in_the_moment_of_its_promotion_is_not_promoted() -> None:
    tried = Tried()
    tried.registry.asked = tried.stop
    assert tried.attempt.run()[:2] == BY_HAND
    assert tried.registry.aliases[CHAMPION] == 1


def test_one_stopped_before_replicas_took_it_up_does_not_wait_for_them() -> None:
    tried = Tried(late=50)
    taken = tried.registry.note

    def stopped(name: str, key: str, text: str) -> None:
        taken(name, key, text)
        tried.registry.note = taken  # type: ignore[method-assign]
        tried.stop()

    tried.registry.note = stopped  # type: ignore[method-assign]
    assert tried.attempt.run()[:2] == BY_HAND


def test_the_trial_that_came_after_it_is_left_alone() -> None:
    tried = Tried()
    second = Trial("trust", 1, 3, 10, tried.trial.begun + HOUR, tried.trial.until + HOUR)

    def stop_and_begin() -> None:
        tried.stop()
        second.note(tried.registry)  # type: ignore[arg-type]

    tried.log.read_first = stop_and_begin
    assert tried.attempt.run()[:2] == BY_HAND
    assert tried.running == second


def test_another_champion_meanwhile_ends_it() -> None:
    tried = Tried()
    tried.log.read_first = lambda: tried.registry.set_alias("trust", 3, CHAMPION)
    assert tried.attempt.run()[1] == "another version became champion meanwhile"
    assert tried.registry.aliases[CHAMPION] == 3


def test_without_replicas_it_is_over_and_the_trail_says_why() -> None:
    tried = Tried(late=1000)
    with pytest.raises(ServiceUnavailableError, match="kolray serve"):
        tried.attempt.run()
    assert tried.running is None
    assert "did not take up" in tried.audit.steps[-1]["reason"]


def test_redis_that_is_away_for_a_moment_ends_no_trial() -> None:
    tried, failing = Tried(), iter([True, False, True])
    states, read = tried.log.states, tried.log.read

    def away() -> None:
        if next(failing, False):
            raise ServiceUnavailableError("Redis", "here", "start it")

    tried.log.states = lambda name: (away(), states(name))[1]  # type: ignore[method-assign]
    tried.log.read = lambda key, after: (away(), read(key, after))[1]  # type: ignore[method-assign]
    assert tried.attempt.run()[0] == "promoted"
    assert list(failing) == []


def test_a_registry_that_is_away_for_a_moment_ends_no_trial() -> None:
    tried = Tried()
    noted, evidence, away = tried.registry.noted, [[], GOOD], [False]

    def asked(name: str, key: str) -> str | None:
        if away[0]:
            raise ConnectionError("no MLflow")
        return noted(name, key)

    def read(key: str, after: str) -> tuple[str, list[Evidence]]:
        away[0] = not away[0]
        return "1-0", evidence.pop(0)

    tried.registry.noted = asked  # type: ignore[method-assign]
    tried.log.read = read  # type: ignore[method-assign]
    tried.log.states = lambda name: {"a": tried.trial.key if tried.registry.notes.get("trial") else "none"}  # type: ignore[method-assign]
    assert tried.attempt.run()[0] == "promoted"
    assert evidence == []


def test_what_was_promoted_is_in_the_trail_though_the_registry_then_fails() -> None:
    tried = Tried()
    point, noted = tried.registry.set_alias, tried.registry.noted

    def promote(name: str, version: int, alias: str) -> None:
        point(name, version, alias)
        tried.registry.noted = lambda name, key: 1 / 0  # type: ignore[method-assign, assignment, return-value]

    tried.registry.set_alias = promote  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        tried.attempt.run()
    tried.registry.noted = noted  # type: ignore[method-assign]
    assert tried.steps == ["canary", "promoted"]


def test_undecided_by_its_end_it_is_taken_back() -> None:
    tried = Tried()
    tried.log.evidence = []
    outcome, reason, _ = tried.attempt.run()
    assert (outcome, reason.split(":")[0]) == ("rolled_back", "not decided in time")


def test_each_delivery_of_a_version_has_its_trail_and_a_plain_promotion_too() -> None:
    tried = Tried()
    tried.log.read_first = tried.stop
    tried.attempt.run()
    again = Audit(tried.registry, "trust", 2, tried.clock)  # type: ignore[arg-type]
    again.add("promoted", reason="beats champion 1")
    rows = history(tried.registry, "trust")  # type: ignore[arg-type]
    assert [(row["version"], row["step"], len(row["steps"])) for row in rows] == [
        (2, "rolled_back", 3),
        (2, "promoted", 1),
    ]
    assert all(row["by"] for row in rows)
    assert rows[0]["begun"] <= rows[0]["at"] <= rows[1]["begun"]

"""A replica's part in a trial: whom the challenger answers for, what is told of it, and that it ends by itself."""

from __future__ import annotations

import time
from datetime import timedelta

import polars as pl
import pytest

from kolray.errors import ServiceUnavailableError
from kolray.models.champions import Champions
from kolray.models.delivery.trial import Trial, end_trial
from kolray.serving.canary import Canary
from kolray.serving.trials import IDLE, Trials
from kolray.stores.trials import Evidence
from kolray.testing.clock import FakeClock
from tests.unit.serving.test_canary import FEATURES, KOLS, Registry

HOUR = timedelta(hours=1)


class Log:
    """Keeps what it is told, while it is there."""

    def __init__(self) -> None:
        self.kept: list[Evidence] = []
        self.states: list[str] = []
        self.away = False

    def add(self, key: str, evidence: Evidence) -> None:
        if self.away:
            raise ServiceUnavailableError("Redis", "here", "start it")
        self.kept.append(evidence)

    def here(self, name: str, replica: str, state: str) -> None:
        self.states.append(state)


class NotedRegistry(Registry):
    """Notes too, as ``ModelRegistry`` has them."""

    text: str | None = None

    def note(self, name: str, key: str, text: str) -> None:
        self.text = text

    def noted(self, name: str, key: str) -> str | None:
        return self.text


class Replica:
    """One with a champion that says 60 and, in the registry, a version 2 that says what it is given."""

    def __init__(self, challenger: float | None = 63.0, percent: float = 30) -> None:
        self.registry = NotedRegistry(1, None, {1: 60.0, 2: challenger})
        self.clock, self.log = FakeClock(), Log()
        champions = Champions(self.registry, names=("trust",))  # type: ignore[arg-type]
        champions.refresh()
        self.trials = Trials("trust", self.registry, champions, self.log, self.clock)  # type: ignore[arg-type]
        self.canary = Canary(champions, trials=self.trials)
        begun = self.clock.now()
        self.trial = Trial("trust", 1, 2, percent, begun, begun + HOUR)
        self.trial.note(self.registry)  # type: ignore[arg-type]
        self.trials.look()

    def answered(self, kol_ids: list[str]) -> list[str]:
        """Who answered for each."""
        found = []
        for kol_id in kol_ids:
            found.append(self.canary.answer(kol_id, FEATURES)[0].label)
            while self.canary._room._value == 0:  # none is left out here
                time.sleep(0.001)
        self.canary._behind.submit(int).result()
        return found


def test_both_models_are_heard_of_each_kol_once_whoever_answers() -> None:
    replica = Replica()
    by = replica.answered(KOLS[:100] + KOLS[:100])
    told = replica.log.kept
    assert 10 < by[:100].count("trust:2") < 50
    assert {(each.champion, each.challenger, each.failed) for each in told} == {(60.0, 63.0, False)}
    assert [each.kol_id for each in told] == KOLS[:100]
    assert [each.by_challenger for each in told] == [label == "trust:2" for label in by[:100]]
    assert replica.log.states == [replica.trial.key]


@pytest.mark.parametrize("percent", [0.01, 100])
def test_a_challenger_that_fails_is_told_of_and_no_client_sees_it(percent: float) -> None:
    replica = Replica(challenger=None, percent=percent)
    assert set(replica.answered(KOLS[:20])) == {"trust:1"}
    assert {(each.failed, each.by_challenger) for each in replica.log.kept} == {(True, percent == 100)}


def test_a_challenger_that_fails_when_a_kol_is_asked_for_again_is_told_of_too() -> None:
    replica = Replica(percent=100)
    assert set(replica.answered(KOLS[:3])) == {"trust:2"}
    assert replica.trials.running is not None
    replica.trials.running.challenger.model.score = None
    assert set(replica.answered(KOLS[:3])) == {"trust:1"}
    with pytest.raises(ZeroDivisionError):
        replica.canary.by(KOLS[0], lambda _: 1 / 0)  # the champion cannot either

    def only_the_champion(model: object) -> int:
        return 1 // (2 - model.version)  # type: ignore[attr-defined]

    assert replica.canary.by(KOLS[0], only_the_champion) == 1
    batch = pl.DataFrame({"kol_id": KOLS[:3]})
    assert replica.canary.answer_by(replica.canary.model(KOLS[0]), batch)[0].label == "trust:1"
    replica.canary._behind.submit(int).result()
    assert [each.failed for each in replica.log.kept] == [False] * 3 + [True] * 5


def test_what_is_not_a_score_is_answered_by_the_same_split() -> None:
    replica = Replica(percent=50)
    by = [replica.canary.by(kol_id, lambda model: model.label) for kol_id in KOLS[:100]]
    replica.canary._behind.submit(int).result()
    assert [each.by_challenger for each in replica.log.kept] == [label == "trust:2" for label in by]

    def only_the_champion(model: object) -> str:
        if model.version == 2:  # type: ignore[attr-defined]
            raise ValueError("no")
        return "fine"

    asked = KOLS[100:140]
    assert {replica.canary.by(kol_id, only_the_champion) for kol_id in asked} == {"fine"}
    replica.canary._behind.submit(int).result()
    failed = [each for each in replica.log.kept[100:] if each.failed]
    assert 0 < len(failed) < len(asked)
    assert all(each.by_challenger for each in failed)


def test_when_it_ends_the_champion_answers_alone_and_the_new_one_at_once() -> None:
    replica = Replica(percent=100)
    replica.registry.aliases["champion"] = 2
    end_trial(replica.registry, replica.trial)  # type: ignore[arg-type]
    assert set(replica.answered(KOLS[:5])) == {"trust:2"}
    replica.trials.look()
    assert replica.trials.running is None
    assert set(replica.answered(KOLS[:5])) == {"trust:2"}, "as the champion now"
    assert replica.log.states[-1] == IDLE


def test_a_trial_whose_end_has_passed_is_none_though_nobody_ended_it() -> None:
    replica = Replica(percent=100)
    replica.clock.advance(HOUR.total_seconds())
    replica.trials.look()
    assert set(replica.answered(KOLS[:5])) == {"trust:1"}


def test_without_redis_answers_go_on_and_evidence_is_lost() -> None:
    replica = Replica(percent=100)
    replica.log.away = True
    assert set(replica.answered(KOLS[:5])) == {"trust:2"}
    assert replica.log.kept == []

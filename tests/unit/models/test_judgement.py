"""What a trial decides from what replicas saw."""

from __future__ import annotations

import pytest

from kolray.models.delivery.judgement import Judgement, Plan
from kolray.models.delivery.outcomes import Gain
from kolray.stores.trials import Evidence

PLAN = Plan(answers=20)


def _gain(by: float) -> Gain:
    return lambda seen: None if seen.kol_id.startswith("unknown") else by


def _seen(n: int, kind: str = "kol", **told: bool) -> list[Evidence]:
    return [Evidence(f"{kind}-{i}", 50.0, 60.0, **told) for i in range(n)]


def _judged(gain: Gain, *evidence: Evidence) -> Judgement:
    judgement = Judgement(PLAN, gain)
    for each in evidence:
        judgement.see(each)
    return judgement


@pytest.mark.parametrize(("by", "outcome"), [(0.1, "promoted"), (-0.1, "rolled_back")])
def test_it_is_promoted_for_what_it_gains_and_taken_back_for_what_it_costs(by: float, outcome: str) -> None:
    decided = _judged(_gain(by), *_seen(60, by_challenger=True)).outcome
    assert decided is not None
    assert decided[0] == outcome


def test_it_is_not_promoted_before_it_answered_often_enough() -> None:
    judgement = _judged(_gain(0.1), *_seen(60))
    assert judgement.outcome is None
    for each in _seen(19, "unknown", by_challenger=True):
        judgement.see(each)
    assert judgement.outcome is None
    judgement.see(Evidence("unknown-x", by_challenger=True))
    assert judgement.outcome is not None


def test_one_failure_takes_it_back_whatever_it_gained() -> None:
    judgement = _judged(_gain(0.1), *_seen(60, by_challenger=True), Evidence("kol-x", by_challenger=True, failed=True))
    assert judgement.outcome == ("rolled_back", "it could not answer for 1 KOLs for whom the champion could")


def test_a_kol_counts_once_and_one_without_a_known_outcome_not_at_all() -> None:
    judgement = _judged(_gain(0.1), *_seen(3), *_seen(3), *_seen(50, "unknown"))
    assert (judgement.test.n, judgement.outcome) == (3, None)
    assert "+0.1000 over 3 KOLs" in str(judgement)

"""What a trial shows, KOL by KOL, and when that is enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kolray.models.delivery.outcomes import Gain
from kolray.models.delivery.sequential import SequentialTest, Verdict
from kolray.stores.trials import Evidence

Outcome = Literal["promoted", "rolled_back", "refused"]


@dataclass(frozen=True)
class Plan:
    """``percent`` of the KOLs have the challenger. ``alpha``: at most this part of deliveries of challengers whose mean
    gain is not above ``-margin`` (of a loss of 0-1) ends in promotion; again for each delivery. Undecided after
    ``minutes`` it is taken back; before ``answers`` of its own answers were served it is not promoted.
    """

    percent: float = 10
    alpha: float = 0.05
    margin: float = 0
    minutes: float = 60
    answers: int = 20


class Judgement:
    """Evidence in, an outcome out. Each KOL counts once, whoever asked for it and however often."""

    def __init__(self, plan: Plan, gain: Gain) -> None:
        self._plan, self._gain = plan, gain
        self.test = SequentialTest(plan.alpha, plan.margin)
        self.asked, self.failed, self.answers = set[str](), set[str](), 0

    def see(self, evidence: Evidence) -> None:
        """One more piece."""
        self.answers += evidence.by_challenger and not evidence.failed
        if evidence.failed:
            self.failed.add(evidence.kol_id)
        if evidence.failed or evidence.kol_id in self.asked:
            return
        self.asked.add(evidence.kol_id)
        gain = self._gain(evidence)
        if gain is not None:
            self.test.see(gain)

    @property
    def outcome(self) -> tuple[Outcome, str] | None:
        """What is decided, and why; None: not yet. One failure is enough: the champion could answer the same."""
        if self.failed:
            return "rolled_back", f"it could not answer for {len(self.failed)} KOLs for whom the champion could"
        if self.test.verdict is Verdict.WORSE:
            return "rolled_back", f"worse than the champion: {self}"
        if self.test.verdict is Verdict.BETTER and self.answers >= self._plan.answers:
            return "promoted", f"better than the champion: {self}"
        return None

    def __str__(self) -> str:
        better, worse = self.test.evidence
        needed = 1 / self._plan.alpha
        return (
            f"mean gain {self.test.gain:+.4f} over {self.test.n} KOLs whose outcome is known, evidence {better:.1f} "
            f"for and {worse:.1f} against it ({needed:.0f} decides); {self.answers} answers of its own"
        )

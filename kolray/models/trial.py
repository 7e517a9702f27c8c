"""One trial of a search: boosters grown by rounds and judged on what they do not see, until nothing gets better."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kolray.models.space import Space


class Trial(ABC):
    """Reports its loss every so many rounds, and goes on where it was kept."""

    space: Space

    def __init__(self) -> None:
        self.losses: list[float] = []

    @property
    def rounds(self) -> int:
        """Rounds done."""
        return self.space.every * len(self.losses)

    def reports(self) -> Iterator[tuple[int, float]]:
        """Boosts on and yields rounds and loss; ends at the most rounds or when nothing gets better."""
        while self.rounds < self.space.max_rounds and not self._stalled():
            self.losses.append(self.boost())
            yield self.rounds, self.losses[-1]

    def _stalled(self) -> bool:
        return len(self.losses) - 1 - int(np.argmin(self.losses)) >= self.space.patience if self.losses else False

    @abstractmethod
    def boost(self) -> float:
        """Does ``every`` rounds more after ``rounds``; returns the loss on what no booster saw."""

    def save(self, folder: Path) -> None:
        """Keeps where it is; ``load`` goes on there."""
        np.save(folder / "losses.npy", self.losses)

    def load(self, folder: Path) -> None:
        """Goes on where ``save`` was: the rounds done are not done again."""
        self.losses = np.load(folder / "losses.npy").tolist()

"""What a shard measures beside its counters: a few additions a checkpoint and a write, none a record."""

from __future__ import annotations

from typing import Any

from kolray.observability.catalog import LONGER
from kolray.observability.tally import Tally


class Meters:
    """Seconds of checkpoints and of batches of rows written to the stores, and how often a write was tried again."""

    def __init__(self) -> None:
        self.checkpoints, self.writes = Tally(LONGER), Tally(LONGER)
        self.retries = 0

    def told(self) -> dict[str, Any]:
        """As a shard's status has it."""
        return {"checkpoints": self.checkpoints.told(), "writes": self.writes.told(), "retries": self.retries}

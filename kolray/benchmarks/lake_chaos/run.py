"""The run: a seeded world is sent while the lake's jobs are killed; then they run in peace and the lake is compared."""

from __future__ import annotations

import logging
import os
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl

from kolray.benchmarks.chaos.run import quarters, send
from kolray.benchmarks.lake_chaos.oracle import Found, compare
from kolray.benchmarks.lake_chaos.plan import plan
from kolray.benchmarks.lake_chaos.victim import Victim
from kolray.clock import SystemClock
from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.connectors.producer import EventProducer
from kolray.errors import SettingsError
from kolray.events import SOCIAL_TOPIC, TIME, Kind
from kolray.lake.tables import LakeTables
from kolray.schemas.registry import open_registry
from kolray.settings import Settings

log = logging.getLogger(__name__)

LAKE = {"KOLRAY_LAKE__FILE_MB": "1", "KOLRAY_LAKE__VACUUM_HOURS": "0"}
"""Maintenance has something to do in every round, and takes at once what a killed job left: nothing else runs."""
RAY = {"RAY_AUTH_MODE": "token"}
"""As the Ray that the drivers join has it, unless the environment turns that off."""
LETTERS = 5
"""Dead letters beside each part of the events, for a table that the stream fills."""


@dataclass(frozen=True)
class LakeChaosReport(Found):
    """What was done to the lake's jobs, and what the comparison found."""

    kills: int
    by_layer: dict[str, int]
    by_kind: dict[str, int]
    driver_starts: int
    events: int
    wall_s: float

    @property
    def right(self) -> bool:
        """Whether nothing is lost, doubled, wrong or left over."""
        return not (self.lost or self.doubled or self.wrong or self.orphans_left)


def run(settings: Settings, kills: int, seed: int, n_kols: int = 200, hours: int = 48) -> LakeChaosReport:
    """Kills ``kills`` times while a world of ``n_kols`` over ``hours`` is sent.

    Raises:
        SettingsError: this home has a lake already.
        KolrayError: the jobs do not run any more.
    """
    if Path(settings.lake_root).exists():
        raise SettingsError(
            f"there is a lake at {settings.lake_root} already, and the bench compares a whole one: use a new home, "
            "KOLRAY_HOME=/tmp/chaos kolray up, and the same KOLRAY_HOME for the bench"
        )
    clock = SystemClock()
    started = clock.monotonic()
    sender = Sender(settings, seed, n_kols, hours)
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    environment = RAY | inherited | LAKE | {"KOLRAY_HOME": str(settings.home)}
    victim = Victim(environment, settings.home / "logs" / "lake-chaos.log", clock)
    layers, kinds = Counter[str](), Counter[str]()
    try:
        for number, strike in enumerate(plan(kills, seed), start=1):
            sender.send_to(number / kills)
            layer, kind = victim.strike(strike)
            layers[layer] += 1
            kinds[kind] += 1
            log.info("kill %d of %d: %s in %s", number, kills, kind, layer)
        victim.finish(rounds=2)
    finally:
        victim.close()
    found = compare(LakeTables(settings.lake_root), sender.sent(), sender.letters)
    return LakeChaosReport(
        **asdict(found),
        kills=kills,
        by_layer=dict(layers),
        by_kind=dict(kinds),
        driver_starts=victim.starts,
        events=sum(events.height for events in sender.sent().values()),
        wall_s=round(clock.monotonic() - started, 1),
    )


class Sender:
    """Sends a world in parts and remembers what it sent."""

    def __init__(self, settings: Settings, seed: int, n_kols: int, hours: int) -> None:
        end = SystemClock().now() - timedelta(hours=6)
        world = build_world(WorldConfig(n_kols=n_kols, hours=hours, seed=seed, end=end, invalid_share=0))
        self._parts = [part for batch in batches(world) for part in quarters(batch)]
        self._producer = EventProducer(settings.kafka, open_registry(settings.registry.url))
        self._done = 0
        self.letters = 0

    def send_to(self, share: float) -> None:
        """Sends on, until a share of all parts is sent; they are in the topics when it returns."""
        end = round(share * len(self._parts))
        for part in self._parts[self._done : end]:
            send(self._producer, part)
            self._producer.send_dead_letters(self._letters())
        self._producer.flush()
        self._done = max(self._done, end)

    def _letters(self) -> pl.DataFrame:
        numbers = pl.int_range(self.letters, self.letters + LETTERS, dtype=pl.Int64, eager=True)
        self.letters += LETTERS
        return pl.DataFrame({"offset": numbers}).with_columns(
            topic=pl.lit(SOCIAL_TOPIC),
            partition=pl.lit(0, pl.Int32),
            reason=pl.lit("sent by the bench"),
            key=pl.lit(None, pl.Binary),
            value=pl.lit(b"?", pl.Binary),
            at=pl.lit(SystemClock().now()).cast(TIME),
        )

    def sent(self) -> dict[Kind, pl.DataFrame]:
        """The events sent, by kind."""
        done = self._parts[: self._done]
        return {"social": pl.concat(part.social for part in done), "web": pl.concat(part.web for part in done)}

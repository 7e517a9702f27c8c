"""A replica's part in a trial: looks in the registry whether there is one, holds the challenger, tells what it saw."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from dataclasses import dataclass, field

from kolray.clock import Clock
from kolray.errors import ServiceUnavailableError
from kolray.models.champions import Champions
from kolray.models.delivery.trial import Trial, read_trial
from kolray.models.registry import LoadedModel, ModelRegistry
from kolray.stores.trials import Evidence, TrialLog

log = logging.getLogger(__name__)
LOOK_S = 2.0
"""Seconds between looks: a challenger that is taken back answers at most for so long."""
KOLS = 200_000
"""That are told of; of later ones nothing is, as memory has an end."""
IDLE = "none"


@dataclass
class Running:
    """A trial with its challenger loaded, and who was told of."""

    trial: Trial
    challenger: LoadedModel
    _told: set[str] = field(default_factory=set)

    def first(self, kol_id: str) -> bool:
        """Whether this is the first time the KOL is asked for; it counts once."""
        if kol_id in self._told or len(self._told) >= KOLS:
            return False
        self._told.add(kol_id)
        return True


class Trials:
    """The trial of one model, if there is one. Reading ``running`` costs nothing; a thread of its own looks."""

    def __init__(self, name: str, registry: ModelRegistry, champions: Champions, said: TrialLog, clock: Clock) -> None:
        self._name, self._registry, self._champions = name, registry, champions
        self._log, self._clock, self._replica = said, clock, secrets.token_hex(6)
        self.running: Running | None = None

    def watch(self) -> None:
        """Keeps looking in the background."""

        def loop() -> None:
            known = True
            while True:
                try:
                    self.look()
                    known = True
                except Exception as error:  # MLflow's and its database's own too
                    if known:
                        log.warning("whether %s is on trial is not known: %s", self._name, error)
                    known = False
                    self._expire()
                time.sleep(LOOK_S)

        threading.Thread(target=loop, name=f"{self._name} trials", daemon=True).start()

    def look(self) -> None:
        """Takes up what the registry says, and says so."""
        told = read_trial(self._registry, self._name)
        if told is not None and told.until <= self._clock.now():
            told = None  # whoever began it is gone
        held = self.running
        if told is None and held is not None:
            self._champions.keep_fresh(every_s=0)  # it may have become the champion
            self.running = None
            log.info("%s is no longer on trial", held.challenger.label)
        elif told is not None and (held is None or held.trial != told):
            challenger = self._registry.load_version(self._name, told.challenger)
            self.running = Running(told, challenger)
            log.info("%s is on trial for %g %% of the KOLs", challenger.label, told.percent)
        self._log.here(self._name, self._replica, told.key if told else IDLE)

    def tell(self, running: Running, evidence: Evidence) -> None:
        """Keeps evidence where who judges finds it; without Redis it is lost, and the trial takes longer."""
        try:
            self._log.add(running.trial.key, evidence)
        except ServiceUnavailableError as error:
            log.warning("evidence about %s is lost: %s", running.challenger.label, error)

    def _expire(self) -> None:
        if self.running is not None and self.running.trial.until <= self._clock.now():
            self.running = None

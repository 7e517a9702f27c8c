"""A challenger beside the trust champion: it answers for some KOLs, always the same ones, or is only compared."""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple, TypeVar

import polars as pl
from prometheus_client import CollectorRegistry, Histogram

from kolray.models.champions import Champions
from kolray.models.registry import LoadedModel
from kolray.observability.catalog import CATALOG
from kolray.serving.trials import Running, Trials
from kolray.stores.trials import Evidence

Answered = TypeVar("Answered")
log = logging.getLogger(__name__)
PARTS = 10_000
WAITING = 32
"""Comparisons that may wait; more are left out, since they must not slow answers down."""


class Canary:
    """Who answers for a KOL: the champion, or for ``percent`` of the KOLs the version that ``@challenger`` names.

    The KOLs are chosen by a hash of their ids: a KOL is answered by one model on every replica, and who has the
    challenger at 5 % has it at 10 % too. A challenger that fails is answered for by the champion. With ``shadow`` the
    challenger also scores what the champion answers, behind the answer; the differences are metrics. Promotion moves
    the alias ``@champion``; both then name one version, and there is nothing left to choose. While the model is on
    trial (``trials``), the trial says who the challenger is and for whom, and is told what both said of each KOL.
    """

    def __init__(
        self,
        champions: Champions,
        challengers: Champions | None = None,
        percent: float = 0,
        *,
        shadow: bool = False,
        name: str = "trust",
        trials: Trials | None = None,
    ) -> None:
        self._champions, self._challengers = champions, challengers or champions
        self._name, self._trials = name, trials
        self.registry = CollectorRegistry()
        self._difference = CATALOG["kolray_shadow_difference"].histogram(self.registry)
        self._failed = CATALOG["kolray_challenger_failed_total"].counter(self.registry)
        self._skipped = CATALOG["kolray_shadow_skipped_total"].counter(self.registry)
        self._scores = CATALOG["kolray_trust_score_points"].histogram(self.registry)
        self._told: dict[str, Histogram] = {}
        """Looking a label up costs as much as counting."""
        self._behind = ThreadPoolExecutor(1, thread_name_prefix="shadow")
        self._room = threading.BoundedSemaphore(WAITING)
        self._watched = False
        self.percent, self.shadow = 0.0, False
        self.steer(percent, shadow=shadow)

    def steer(self, percent: float, *, shadow: bool) -> None:
        """Takes hold with the next request."""
        if (percent or shadow) and not self._watched:
            self._challengers.keep_fresh(every_s=0)
            self._challengers.watch()
            self._watched = True
        self.percent, self.shadow = percent, shadow

    def watch_trial(self) -> None:
        """Takes part in trials from now on: for a replica, not for a command that answers once."""
        if self._trials is not None:
            self._trials.watch()

    def model(self, kol_id: str) -> LoadedModel:
        """Who answers for a KOL.

        Raises:
            NotFoundError: no model yet.
        """
        challenger = self._challenger()
        return challenger if challenger is not None and self._chosen(kol_id) else self._champions.get(self._name)

    def answer(self, kol_id: str, features: Mapping[str, Any]) -> tuple[LoadedModel, dict[str, Any]]:
        """Who answered, and what ``TrustModel.answer_one`` gave.

        Raises:
            NotFoundError: no model yet.
        """
        asked, challenger, running = self.model(kol_id), self._challenger(), self._running
        model, scored = self._by(asked, lambda model: model.model.answer_one(kol_id, features))
        if challenger is not None and (running or (self.shadow and challenger.version != asked.version)):
            self._compare(kol_id, features, _Said(asked, model, scored["trust_score"]), challenger, running)
        if model.label not in self._told:
            self._told[model.label] = self._scores.labels(model.label)
        self._told[model.label].observe(scored["trust_score"])
        return model, scored

    def by(self, kol_id: str, answer: Callable[[LoadedModel], Answered]) -> Answered:
        """What the KOL's model answers, or the champion where a challenger fails; a trial learns which.

        Raises:
            NotFoundError: no model yet; and what the champion raises.
        """
        asked, running = self.model(kol_id), self._running
        model, answered = self._by(asked, answer)
        failed = model.version != asked.version
        if running is not None and (running.first(kol_id) or failed):
            by_challenger = asked.version == running.challenger.version
            self._tell(running, Evidence(kol_id, by_challenger=by_challenger, failed=failed))
        return answered

    def answer_by(self, model: LoadedModel, rows: pl.DataFrame) -> tuple[LoadedModel, pl.DataFrame]:
        """``TrustModel.answer`` of this model, or of the champion where a challenger fails."""
        running = self._running
        answered_by, scored = self._by(model, lambda model: model.model.answer(rows))
        if answered_by.version != model.version and running is not None:
            self._tell(running, Evidence(rows["kol_id"][0], by_challenger=True, failed=True))  # one failure is enough
        points = self._scores.labels(answered_by.label)
        for score in scored["trust_score"]:
            points.observe(score)
        return answered_by, scored

    def _tell(self, running: Running, evidence: Evidence) -> None:
        """Behind the answer. There are no more answers than KOLs; of failures, as many as requests, one is enough."""
        if self._trials is not None:
            submit = self._later if evidence.failed else self._behind.submit
            submit(partial(self._trials.tell, running, evidence))

    def _later(self, work: Callable[[], None]) -> None:
        """Behind the answer; left out where too much waits."""
        if not self._room.acquire(blocking=False):
            self._skipped.inc()
            return

        def do() -> None:
            try:
                work()
            finally:
                self._room.release()

        self._behind.submit(do)

    def _by(self, model: LoadedModel, answer: Callable[[LoadedModel], Answered]) -> tuple[LoadedModel, Answered]:
        try:
            return model, answer(model)
        except Exception:
            champion = self._champions.get(self._name)
            if model.version == champion.version:
                raise
            answered = answer(champion)  # or this raises: then it was not the challenger's fault
            # whatever is wrong with a model on trial is not the client's problem
            log.exception("%s failed; %s answers", model.label, champion.label)
            self._failed.inc()
        return champion, answered

    def split(self, kol_ids: Sequence[str]) -> list[tuple[LoadedModel, list[str]]]:
        """The KOLs by who answers for them."""
        found: dict[int, tuple[LoadedModel, list[str]]] = {}
        for kol_id in kol_ids:
            model = self.model(kol_id)
            found.setdefault(model.version, (model, []))[1].append(kol_id)
        return list(found.values())

    @property
    def _running(self) -> Running | None:
        return None if self._trials is None else self._trials.running

    def _challenger(self) -> LoadedModel | None:
        """None where it is not asked for, or is the champion itself."""
        running = self._running
        if running is None and not self.percent and not self.shadow:
            return None
        held = self._challengers.held(self._name) if running is None else running.challenger
        champion = self._champions.held(self._name)
        return held if held is not None and champion is not None and held.version != champion.version else None

    @property
    def answered_percent(self) -> float:
        """Of the KOLs, by a challenger now."""
        return 0.0 if self._challenger() is None else self._asked_percent

    @property
    def _asked_percent(self) -> float:
        running = self._running
        return self.percent if running is None else running.trial.percent

    def _chosen(self, kol_id: str) -> bool:
        return zlib.crc32(kol_id.encode(errors="replace")) % PARTS < self._asked_percent / 100 * PARTS

    def _compare(
        self, kol_id: str, features: Mapping[str, Any], said: _Said, challenger: LoadedModel, running: Running | None
    ) -> None:
        """Asks the other model too, behind the answer."""

        def score() -> None:
            if running is None or running.first(kol_id) or said.failed:
                self._ask_other(kol_id, features, said, challenger, running)

        self._later(score)

    def _ask_other(
        self, kol_id: str, features: Mapping[str, Any], said: _Said, challenger: LoadedModel, running: Running | None
    ) -> None:
        by_challenger = said.asked.version == challenger.version
        other = self._champions.get(self._name) if by_challenger else challenger
        failed, score = said.failed, float("nan")
        try:
            score = other.model.answer_one(kol_id, features)["trust_score"]
            self._difference.observe(abs(score - said.score))
        except Exception:
            log.exception("%s failed in the shadow", other.label)
            self._failed.inc()
            failed = True
        if running is not None and self._trials is not None:
            champion, challenged = (score, said.score) if by_challenger else (said.score, score)
            self._trials.tell(running, Evidence(kol_id, champion, challenged, by_challenger, failed))


class _Said(NamedTuple):
    """Who was asked for an answer, who gave it, and the score."""

    asked: LoadedModel
    answered: LoadedModel
    score: float

    @property
    def failed(self) -> bool:
        """Whether the champion had to answer instead."""
        return self.asked.version != self.answered.version

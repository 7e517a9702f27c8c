"""A challenger beside the trust champion: it answers for some KOLs, always the same ones, or is only compared."""

from __future__ import annotations

import logging
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import polars as pl
from prometheus_client import CollectorRegistry

from kolray.models.champions import Champions
from kolray.models.registry import LoadedModel
from kolray.observability.catalog import CATALOG

Answered = TypeVar("Answered")
log = logging.getLogger(__name__)
PARTS = 10_000
WAITING = 32
"""Comparisons that may wait; more are left out, since they must not slow answers down."""


class Canary:
    """Who scores a KOL: the champion, or for ``percent`` of the KOLs the version that ``@challenger`` names.

    The KOLs are chosen by a hash of their ids: a KOL is answered by one model on every replica, and who has the
    challenger at 5 % has it at 10 % too. A challenger that fails is answered for by the champion. With ``shadow`` the
    challenger also scores what the champion answers, behind the answer; the differences are metrics. Promotion moves
    the alias ``@champion``; both then name one version, and there is nothing left to choose.
    """

    def __init__(
        self, champions: Champions, challengers: Champions, percent: float = 0, *, shadow: bool = False
    ) -> None:
        self._champions, self._challengers = champions, challengers
        self.registry = CollectorRegistry()
        self._difference = CATALOG["kolray_shadow_difference"].histogram(self.registry)
        self._failed = CATALOG["kolray_challenger_failed_total"].counter(self.registry)
        self._skipped = CATALOG["kolray_shadow_skipped_total"].counter(self.registry)
        self._scores = CATALOG["kolray_trust_score_points"].histogram(self.registry)
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

    def model(self, kol_id: str) -> LoadedModel:
        """Who answers for a KOL.

        Raises:
            NotFoundError: no model yet.
        """
        challenger = self._challenger()
        return challenger if challenger is not None and self._chosen(kol_id) else self._champions.get("trust")

    def answer(self, kol_id: str, features: Mapping[str, Any]) -> tuple[LoadedModel, dict[str, Any]]:
        """Who answered, and what ``TrustModel.answer_one`` gave.

        Raises:
            NotFoundError: no model yet.
        """
        asked, challenger = self.model(kol_id), self._challenger()
        model, scored = self._by(asked, lambda model: model.answer_one(kol_id, features))
        if self.shadow and challenger is not None and challenger.version != asked.version:
            self._compare(challenger, kol_id, features, scored["trust_score"])
        self._scores.labels(model.label).observe(scored["trust_score"])
        return model, scored

    def answer_by(self, model: LoadedModel, rows: pl.DataFrame) -> tuple[LoadedModel, pl.DataFrame]:
        """``TrustModel.answer`` of this model, or of the champion where a challenger fails."""
        return self._by(model, lambda model: model.answer(rows))

    def _by(self, model: LoadedModel, answer: Callable[[Any], Answered]) -> tuple[LoadedModel, Answered]:
        try:
            return model, answer(model.model)
        except Exception:
            champion = self._champions.get("trust")
            if model.version == champion.version:
                raise
            # whatever is wrong with a model on trial is not the client's problem
            log.exception("%s failed; %s answers", model.label, champion.label)
            self._failed.inc()
        return champion, answer(champion.model)

    def split(self, kol_ids: Sequence[str]) -> list[tuple[LoadedModel, list[str]]]:
        """The KOLs by who answers for them."""
        found: dict[int, tuple[LoadedModel, list[str]]] = {}
        for kol_id in kol_ids:
            model = self.model(kol_id)
            found.setdefault(model.version, (model, []))[1].append(kol_id)
        return list(found.values())

    def _challenger(self) -> LoadedModel | None:
        """None where it is not asked for, or is the champion itself."""
        if not self.percent and not self.shadow:
            return None
        held, champion = self._challengers.held("trust"), self._champions.held("trust")
        return held if held is not None and champion is not None and held.version != champion.version else None

    def _chosen(self, kol_id: str) -> bool:
        return zlib.crc32(kol_id.encode(errors="replace")) % PARTS < self.percent / 100 * PARTS

    def _compare(self, challenger: LoadedModel, kol_id: str, features: Mapping[str, Any], trust_score: float) -> None:
        if not self._room.acquire(blocking=False):
            self._skipped.inc()
            return

        def score() -> None:
            try:
                other = challenger.model.answer_one(kol_id, features)["trust_score"]
                self._difference.observe(abs(other - trust_score))
            except Exception:
                log.exception("%s failed in the shadow", challenger.label)
                self._failed.inc()
            finally:
                self._room.release()

        self._behind.submit(score)

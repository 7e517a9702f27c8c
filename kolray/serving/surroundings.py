"""What is known of KOLs besides their hours, in memory: a request has no time to read the lake for it."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

import numpy as np
import polars as pl

from kolray.clock import EPOCH
from kolray.events import TIME
from kolray.lake.tables import LakeTables
from kolray.models.forecasts import BESIDE, SCORED_DAYS
from kolray.models.success.beside import Beside
from kolray.models.success.covariates import Covariates, lake_covariates

log = logging.getLogger(__name__)
LOOK_S = 30.0
"""Seconds between looks at the versions of the lake's tables."""
UNKNOWN = -1


class Surroundings:
    """Platform, tier, category, newest trust score and campaigns of every KOL, as the success model takes them."""

    def __init__(self, lake: LakeTables) -> None:
        self._lake = lake
        self._versions: dict[str, int] | None = None
        self._held: tuple[dict[str, int], Beside] = ({}, Beside.of(Covariates.none(), []))
        self._stop = threading.Event()

    def of(self, kol_id: str) -> Beside:
        """Of one KOL, also where nothing is known of it."""
        rows, everybody = self._held
        return replace(everybody, row=np.array([rows.get(kol_id, UNKNOWN)]))

    def refresh(self) -> bool:
        """Reads the tables again where one has another version; returns whether it did."""
        versions = self._lake.versions(*BESIDE)
        if versions == self._versions:
            return False
        told = lake_covariates(self._lake.root, versions, scored_days=SCORED_DAYS)
        newest = told.trust.sort("known_at").unique("kol_id", keep="last", maintain_order=True)
        # A score that was given since the last whole hour ended is no secret of the future to a request.
        told = replace(told, trust=newest.with_columns(known_at=pl.lit(EPOCH).cast(TIME)))
        ids = pl.concat([frame["kol_id"] for frame in (told.kols, told.trust, told.campaigns)]).unique().to_list()
        everybody = Beside.of(told, ids)
        self._held = (dict(zip(ids, everybody.row.tolist(), strict=True)), everybody)
        self._versions = versions
        return True

    def watch(self, every_s: float = LOOK_S) -> None:
        """Refreshes now, and goes on in the background; a lake that is away leaves what is held."""

        def look() -> None:
            try:
                self.refresh()
            except Exception as error:  # Delta's, Polars' and the store's own too
                log.warning("what is known of KOLs stays as it is: %s", error)

        def loop() -> None:
            while not self._stop.wait(every_s):
                look()

        look()
        threading.Thread(target=loop, name="surroundings", daemon=True).start()

    def close(self) -> None:
        """Ends the background thread."""
        self._stop.set()

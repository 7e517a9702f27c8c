"""Campaigns over HTTP: the newest batch from the lake, as answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

import polars as pl
from fastapi import FastAPI, Path

from kolray.clock import Clock
from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.tables import LakeTables
from kolray.models.campaigns import newest_outlook, newest_points
from kolray.models.success.campaigns import booked, money
from kolray.models.success.campaigns.hours import COUNTS
from kolray.serving.access import needs
from kolray.serving.campaign_contracts import (
    CampaignAnswer,
    CampaignOfKol,
    CountAnswer,
    Expected,
    LiftAnswer,
    ReturnAnswer,
)
from kolray.serving.contracts import ForecastAnswer, ForecastPoint
from kolray.serving.problems import ERRORS

NOTES = {**booked.TROUBLES, **money.TROUBLES}
Row = Mapping[str, Any]


class CampaignDesk:
    """What the lake's newest batch says of campaigns.

    Args:
        erased: whether a KOL was erased, whatever the lake still holds.
    """

    def __init__(self, lake: LakeTables, clock: Clock, erased: Callable[[str], bool]) -> None:
        self._lake, self._clock, self._erased = lake, clock, erased

    def rows(self, campaign_id: str, kol_id: str | None = None) -> pl.DataFrame:
        """Rows of ``gold.campaign_outlook``: the newest of the campaign, of all of its KOLs or of one.

        Raises:
            NotFoundError: no batch has told anything about it, or not with this KOL.
        """
        rows = newest_outlook(self._lake, campaign_id)
        wanted = [name for name in rows["kol_id"].unique() if kol_id in (None, name) and not self._erased(name)]
        rows = rows.filter(pl.col("kol_id").is_in(wanted))
        if not rows.height:
            of = "" if kol_id is None else f" with the KOL {kol_id!r}"
            advice = "`kolray models forecast-campaigns` looks at those of ref.campaigns"
            raise NotFoundError(f"nothing is known of the campaign {campaign_id!r}{of}; {advice}")
        return rows

    def answer(self, campaign_id: str) -> CampaignAnswer:
        """All that is known of a campaign.

        Raises:
            NotFoundError: as ``rows``.
        """
        rows = self.rows(campaign_id)
        as_of: datetime = rows["as_of"].max()  # type: ignore[assignment]
        return CampaignAnswer(
            campaign_id=campaign_id,
            as_of=as_of,
            source="batch",
            age_s=(self._clock.now() - as_of).total_seconds(),
            kols=[_of_kol(part.to_dicts()) for part in rows.sort("kol_id").partition_by("kol_id", maintain_order=True)],
        )

    def forecast(self, campaign_id: str, kol_id: str, metric: str, horizon_h: int) -> ForecastAnswer:
        """The next hours of one count of a campaign, as far as it runs in them.

        Raises:
            NotFoundError: as ``rows``, or no hour of the count is forecast.
            InvalidInputError: there is no such count.
        """
        if metric not in COUNTS:
            raise InvalidInputError(f"metric {metric!r} of a campaign is not forecast; choose {', '.join(COUNTS)}")
        rows = self.rows(campaign_id, kol_id)
        told = rows.row(0, named=True)
        points = newest_points(self._lake, campaign_id, kol_id, told["as_of"]).filter(pl.col("metric") == metric)
        if not points.height:
            why = "; ".join(_notes(told).values()) or f"it is {told['state']}, or too little of campaigns is known yet"
            raise NotFoundError(f"no hour of {metric} of the campaign {campaign_id!r} is forecast: {why}")
        return ForecastAnswer(
            kol_id=kol_id,
            metric=metric,
            model="campaigns",
            origin=told["as_of"],
            source="batch",
            age_s=(self._clock.now() - told["as_of"]).total_seconds(),
            points=[
                ForecastPoint(**p) for p in points.select("at", "value", "lower", "upper").head(horizon_h).to_dicts()
            ],
        )


def add_campaigns(app: FastAPI) -> None:
    """``GET /campaigns/{campaign_id}``."""

    @app.get("/campaigns/{campaign_id}", dependencies=[needs("read")], responses=ERRORS, tags=["campaigns"])
    def campaign(
        campaign_id: Annotated[str, Path(min_length=1, max_length=128, examples=["cmp_00001"])],
    ) -> CampaignAnswer:
        """What a campaign has brought and will bring, how much of that is lift, and what the budget returns."""
        desk: CampaignDesk = app.state.services.campaigns
        return desk.answer(campaign_id)


def _of_kol(rows: list[dict[str, Any]]) -> CampaignOfKol:
    by_metric = {row["metric"]: row for row in rows}
    any_row, roi = rows[0], by_metric.get("roi")
    names = ("kol_id", "state", "start", "end", "until", "budget", "spent", "currency", "paid_in")
    counts = [by_metric[name] for name in COUNTS if name in by_metric]
    return CampaignOfKol(
        **{name: any_row[name] for name in names},
        counts=[
            CountAnswer(
                metric=row["metric"],
                actual=row["actual"],
                next_24h=_expected(row, "day"),
                total=_expected(row, "total"),
            )
            for row in counts
        ],
        roi=None if roi is None else ReturnAnswer(actual=roi["actual"], total=_expected(roi, "total")),
        lift=[_lift(row) for row in counts if row["lift_hours"] is not None],
        notes=_notes(any_row),
    )


def _expected(row: Row, what: str) -> Expected | None:
    value, lower, upper = (row[f"{what}{side}"] for side in ("", "_lower", "_upper"))
    return None if value is None or lower is None else Expected(value=value, lower=lower, upper=upper)


def _lift(row: Row) -> LiftAnswer:
    return LiftAnswer(
        metric=row["metric"],
        lift=row["lift"],
        lower=row["lift_lower"],
        upper=row["lift_upper"],
        hours=row["lift_hours"],
        why_not=row["lift_why_not"],
    )


def _notes(row: Row) -> dict[str, str]:
    """Trouble → what it means."""
    return {name: NOTES[name] for name in (row["troubles"] or "").split(",") if name}

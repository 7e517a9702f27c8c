"""The list of campaigns: lifts beside each other on one scale, and what all of them gather."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from markupsafe import Markup

from kolray.serving.dashboard import formats
from kolray.serving.dashboard.campaign_views import Figure
from kolray.serving.dashboard.charts import Caption, line_chart, spark_bars
from kolray.serving.dashboard.charts_of_numbers import zero_bar
from kolray.serving.dashboard.data import ForecastPoint
from kolray.serving.dashboard.report_data import CampaignRow, CampaignsPage
from kolray.serving.dashboard.stream_views import Tile
from kolray.serving.dashboard.text import Translate

STATES = ("running", "planned", "ended", "undated")
LEAST_SCALE = 0.2
"""The lifts' scale never shows less than from -20 % to 20 %: noise would look like news."""


@dataclass(frozen=True)
class Row:
    """A campaign as a row of the table."""

    campaign: CampaignRow
    when: str
    lift: str
    lift_bar: Markup
    roi: str
    engagement: Figure
    budget: str
    clicks: Markup


def campaigns_view(t: Translate, page: CampaignsPage, zone: tzinfo) -> dict[str, Any]:
    """What the template shows."""
    bounds = [abs(b) for row in page.rows for b in (row.lift_lower, row.lift_upper) if b is not None]
    # One wild interval must not press the others flat.
    most = max(sorted(bounds)[int(len(bounds) * 0.9) - 1] if bounds else 0.0, LEAST_SCALE)
    tiles = [Tile(t(f"campaign_state_{name}"), formats.whole(page.states.get(name, 0))) for name in STATES[:3]]
    return {
        "rows": [_row(t, row, most, zone) for row in page.rows],
        "tiles": [*tiles, Tile(t("campaigns_sure"), formats.whole(page.sure), tone="high" if page.sure else "")],
        "charts": _charts(t, page, zone),
        "as_of": page.as_of,
        "total": page.total,
        "states": [name for name in STATES if page.states.get(name)],
    }


def _row(t: Translate, row: CampaignRow, most: float, zone: tzinfo) -> Row:
    when = ""
    if row.start is not None:
        end = formats.day(row.end, zone) if row.end else t("campaign_open_end")
        when = t("campaign_from_to", start=formats.day(row.start, zone), end=end)
    lift, bar = _lift(t, row, most)
    total = row.engagement_total if row.state == "running" else None
    more = t("campaigns_expected", total=formats.compact(round(total))) if total is not None else ""
    money = "" if row.budget is None else f"{formats.compact(row.budget)} {row.currency or ''}".strip()
    came = None if row.engagement is None else round(row.engagement)
    return Row(
        campaign=row,
        when=when,
        lift=lift,
        lift_bar=bar,
        roi=formats.DASH if row.roi is None else formats.signed_percent(row.roi),
        engagement=Figure("", formats.compact(came), more),
        budget=money or formats.DASH,
        clicks=_clicks(t, row.clicks),
    )


def _lift(t: Translate, row: CampaignRow, most: float) -> tuple[str, Markup]:
    if row.lift is None or row.lift_lower is None or row.lift_upper is None:
        return formats.DASH, Markup("")
    value, lower, upper = (formats.signed_percent(part) for part in (row.lift, row.lift_lower, row.lift_upper))
    tone = "high" if row.lift_lower > 0 else "low" if row.lift_upper < 0 else "mixed"
    caption = Caption(
        t("campaigns_lift_of", campaign=row.campaign_id), t("campaigns_lift_desc", lift=value, lower=lower, upper=upper)
    )
    return value, zero_bar(row.lift, row.lift_lower, row.lift_upper, most, caption, tone)


def _clicks(t: Translate, clicks: Sequence[float]) -> Markup:
    if not any(clicks):
        return Markup("")
    desc = t("campaigns_clicks_desc", n=formats.whole(sum(clicks)))
    return spark_bars(clicks, Caption(t("campaigns_clicks"), desc), (96, 24))


def _charts(t: Translate, page: CampaignsPage, zone: tzinfo) -> Sequence[Markup]:
    history = [(at.astimezone(zone), value) for at, value in page.history]
    # No band: the intervals of single campaigns do not add up.
    ahead = [ForecastPoint(at.astimezone(zone), value, value, value) for at, value in page.forecast]
    if not history and not ahead:
        return []
    words = {"came": formats.whole(sum(v for _, v in history)), "total": formats.whole(sum(p.value for p in ahead))}
    caption = Caption(t("campaigns_chart"), t("campaigns_chart_desc", **words))
    return [
        line_chart(history, ahead, caption, formats.compact, (1080, 260), "wide"),
        line_chart(history[-72:], ahead, caption, formats.compact, (360, 220), "narrow"),
    ]

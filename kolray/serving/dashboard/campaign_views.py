"""The campaign's page: from what is known to sentences, a chart and rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from markupsafe import Markup

from kolray.serving.campaign_contracts import CampaignOfKol, CountAnswer, Expected, LiftAnswer
from kolray.serving.dashboard import formats
from kolray.serving.dashboard.campaign_data import CampaignPage
from kolray.serving.dashboard.charts import Caption, line_chart
from kolray.serving.dashboard.speech import figures
from kolray.serving.dashboard.text import Translate


@dataclass(frozen=True)
class Figure:
    """A name, its value, and what stands small beside it."""

    label: str
    value: str
    range: str = ""


@dataclass(frozen=True)
class Lift:
    """``verdict``: whether the range says that the campaign works; ``none`` where the lift is not known."""

    label: str
    value: str
    words: str
    verdict: str


def campaign_view(t: Translate, page: CampaignPage, zone: tzinfo) -> dict[str, Any]:
    """What the template shows."""
    told = page.told
    return {
        "campaign": page,
        "told": told,
        "when_words": _when(t, told, zone),
        "lifts": [_lift(t, lift) for lift in told.lift],
        "money": _money(t, told, zone),
        "rows": [_row(t, count, told.paid_in) for count in told.counts],
        "total_title": _until(t, told, zone, "campaign_total"),
        "charts": _charts(t, page, zone),
        "notes": [t(f"campaign_why_{name}") for name in told.notes],
    }


def _when(t: Translate, told: CampaignOfKol, zone: tzinfo) -> str:
    if told.start is None:
        return ""
    end = formats.moment(told.end, zone) if told.end else t("campaign_open_end")
    return t("campaign_from_to", start=formats.moment(told.start, zone), end=end)


def _until(t: Translate, told: CampaignOfKol, zone: tzinfo, key: str) -> str:
    """Says how far a total goes where that is not the campaign's end."""
    short = told.until is not None and (told.end is None or told.until < told.end)
    return t(f"{key}_until", until=formats.moment(told.until, zone)) if short else t(key)


def _lift(t: Translate, lift: LiftAnswer) -> Lift:
    label = t(f"campaign_lift_{lift.metric}")
    if lift.lift is None or lift.lower is None or lift.upper is None:
        why = t(f"campaign_why_{lift.why_not or 'no_baseline'}")
        return Lift(label, formats.DASH, t("campaign_lift_none", why=why), "none")
    bounds = {"lower": formats.signed_percent(lift.lower), "upper": formats.signed_percent(lift.upper)}
    name = label[:1].lower() + label[1:]
    words = t("campaign_lift_words", lift=formats.signed_percent(lift.lift), metric=name, hours=lift.hours, **bounds)
    sure = lift.lower > 0
    sentence = f"{words} {t('campaign_lift_sure' if sure else 'campaign_lift_unsure')}"
    return Lift(label, formats.signed_percent(lift.lift), sentence, "high" if sure else "mixed")


def _money(t: Translate, told: CampaignOfKol, zone: tzinfo) -> list[Figure]:
    """Budget, what is spent, what came, and the return; nothing without any of these."""
    revenue = next((count for count in told.counts if count.metric == "revenue"), None)
    figures = []
    if told.budget is not None:
        figures.append(Figure(t("campaign_budget"), _amount(told.budget, told.currency)))
    if told.spent is not None:
        figures.append(Figure(t("campaign_spent"), _amount(told.spent, told.currency)))
    if revenue is not None and revenue.actual is not None:
        figures.append(Figure(t("campaign_revenue"), _amount(revenue.actual, told.paid_in)))
    if told.roi is not None and told.roi.actual is not None:
        figures.append(Figure(t("campaign_roi_now"), formats.signed_percent(told.roi.actual)))
    if told.roi is not None and told.roi.total is not None and told.state != "ended":
        total = told.roi.total
        bounds = {"lower": formats.signed_percent(total.lower), "upper": formats.signed_percent(total.upper)}
        label = _until(t, told, zone, "campaign_roi")
        figures.append(Figure(label, formats.signed_percent(total.value), t("campaign_likely", **bounds)))
    return figures


def _amount(value: float, currency: str | None) -> str:
    return f"{formats.whole(value)} {currency or ''}".strip()


def _row(t: Translate, count: CountAnswer, paid_in: str | None) -> tuple[str, str, Figure, Figure]:
    label = t(f"campaign_count_{count.metric}", currency=paid_in or t("unknown"))
    return label, _number(count.actual), _expected(count.next_24h), _expected(count.total)


def _expected(expected: Expected | None) -> Figure:
    if expected is None:
        return Figure("", formats.DASH)
    certain = expected.lower == expected.upper
    bounds = "" if certain else f"{_number(expected.lower)}–{_number(expected.upper)}"
    return Figure("", _number(expected.value), bounds)


def _number(value: float | None) -> str:
    """Counts without decimals; those below ten, which are expected and not counted, with one."""
    if value is None or value >= 10 or float(value).is_integer():
        return formats.whole(value)
    return figures(f"{value:.1f}")


def _charts(t: Translate, page: CampaignPage, zone: tzinfo) -> Sequence[Markup]:
    history: list[tuple[datetime, float]] = [(at.astimezone(zone), value) for at, value in page.hourly]
    forecast = [p._replace(at=p.at.astimezone(zone)) for p in page.forecast]
    if not history and not forecast:
        return []
    known = [value for _, value in history]
    words = {"last": formats.whole(known[-1] if known else None), "most": formats.whole(max(known, default=None))}
    total = formats.whole(sum(p.value for p in forecast))
    desc = t("chart_desc", hours=len(forecast), total=total, **words) if forecast else t("chart_desc_history", **words)
    caption = Caption(t("campaign_chart_title"), desc)
    return [
        line_chart(history, forecast, caption, formats.compact, (1080, 300), "wide"),
        line_chart(history[-72:], forecast, caption, formats.compact, (360, 230), "narrow"),
    ]

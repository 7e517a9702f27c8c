"""The page of everybody's trust."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

from markupsafe import Markup

from kolray.serving.dashboard import formats
from kolray.serving.dashboard.charts import Caption
from kolray.serving.dashboard.charts_of_numbers import Bar, histogram
from kolray.serving.dashboard.report_data import BIN, TrustGroup, TrustPage
from kolray.serving.dashboard.stream_views import Tile
from kolray.serving.dashboard.text import Translate

MARKS = ("0", "20", "40", "60", "80", "100")
FIRM_ENOUGH = 0.5


def trust_view(t: Translate, page: TrustPage, zone: tzinfo) -> dict[str, Any]:
    """What the template shows."""
    counts = _verdicts(page)
    return {
        "trust": page,
        "no_moves": no_moves(t, page, zone),
        "tiles": _tiles(t, page, counts),
        "charts": _charts(t, page, counts) if page.scored else [],
        "groups": [(kind, rows) for kind in ("platform", "category", "tier") if (rows := _of(page.groups, kind))],
    }


def no_moves(t: Translate, page: TrustPage, zone: tzinfo) -> str:
    """Why nobody fell or rose, and when somebody can; empty where somebody did."""
    if page.fell or page.rose:
        return ""
    if page.compared:
        return t("trust_no_moves")
    if page.moves_from is None:
        return t("trust_moves_never")
    return t("trust_moves_from", at=formats.moment(page.moves_from, zone))


def _verdicts(page: TrustPage) -> dict[str, int]:
    counts = dict.fromkeys(("high", "mixed", "low"), 0)
    for i, count in enumerate(page.bins):
        counts[formats.verdict(i * BIN)] += count
    return counts


def _tiles(t: Translate, page: TrustPage, counts: dict[str, int]) -> list[Tile]:
    if not page.scored:
        return []
    shares = [
        Tile(
            t(f"trust_{name}"),
            formats.percent(count / page.scored),
            t("trust_count", n=formats.whole(count)),
            tone=name,
        )
        for name, count in counts.items()
    ]
    firm = page.firm / page.scored
    return [
        *shares,
        Tile(t("trust_median"), formats.score(page.median), t("trust_of")),
        Tile(t("trust_firm"), formats.percent(firm), t("trust_count", n=formats.whole(page.firm))),
    ]


def _charts(t: Translate, page: TrustPage, counts: dict[str, int]) -> Sequence[Markup]:
    shown = {name: formats.percent(count / page.scored) for name, count in counts.items()}
    caption = Caption(t("trust_chart"), t("trust_chart_desc", **shown))
    bars = [
        Bar(count, t("trust_bar", low=i * BIN, high=(i + 1) * BIN, n=formats.whole(count)), formats.verdict(i * BIN))
        for i, count in enumerate(page.bins)
    ]
    return [
        histogram(bars, MARKS, caption, formats.compact, (1080, 280), "wide"),
        histogram(bars, MARKS, caption, formats.compact, (360, 220), "narrow"),
    ]


def _of(groups: Sequence[TrustGroup], kind: str) -> list[TrustGroup]:
    return [group for group in groups if group.kind == kind]

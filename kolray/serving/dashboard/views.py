"""From data to what a template shows: sentences, charts and the Jinja2 environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kolray.serving.dashboard import formats
from kolray.serving.dashboard.assets import asset
from kolray.serving.dashboard.charts import Caption, contribution_bar, interval_bar, line_chart, spark_bars
from kolray.serving.dashboard.data import Contribution, ForecastPoint, KolPage
from kolray.serving.dashboard.speech import figures, weekday
from kolray.serving.dashboard.text import EN, Translate, name_of, translator

HERE = Path(__file__).parent
SIGNALS = 10
"""Contributions shown; the rest are smaller than the eye can tell."""
NARROW_HOURS = 72
"""History on a phone's chart."""
STALE_S = 3600.0
SPARKS = {
    "engagement_rate": formats.percent,
    "impressions": formats.compact,
    "sentiment_ratio": formats.percent,
    "followers_last": formats.whole,
}
"""Metrics of the live tiles."""


@cache
def environment(language: str = "en") -> Environment:
    """The templates of a language; made once a process."""
    env = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    t = translator(language)
    env.globals.update(t=t, asset=asset, name_of=partial(name_of, t), trust_bar=partial(trust_bar, t))
    env.filters.update(
        whole=formats.whole,
        compact=formats.compact,
        number=formats.number,
        percent=formats.percent,
        signed_percent=formats.signed_percent,
        score=formats.score,
        soft=formats.soft,
        verdict=formats.verdict,
        age=partial(formats.age, t),
        evidence=partial(formats.evidence, t),
        kol_path=lambda kol_id: quote(kol_id, safe=""),
    )
    return env


def trust_bar(
    t: Translate, kol_id: str, trust: float | None, lower: float | None, upper: float | None, width: int = 160
) -> Markup:
    """The interval bar of a KOL, or nothing without a score."""
    if trust is None:
        return Markup("")
    caption = Caption(t("trust_for", kol=kol_id), trust_words(t, trust, lower, upper))
    return interval_bar(trust, lower, upper, caption, formats.verdict(trust), width)


def trust_words(t: Translate, trust: float, lower: float | None, upper: float | None) -> str:
    """The score and its interval in one phrase."""
    if lower is None or upper is None:
        return t("trust_desc_bare", score=formats.score(trust))
    return t("trust_desc", score=formats.score(trust), lower=formats.score(lower), upper=formats.score(upper))


@dataclass(frozen=True)
class Signal:
    """A contribution as a row of the table."""

    label: str
    value: str
    effect: str
    bar: Markup


@dataclass(frozen=True)
class Spark:
    """A live tile."""

    metric: str
    latest: str
    bars: Markup


@dataclass(frozen=True)
class Outlook:
    """The chart's message in numbers."""

    hours: int
    last: str
    total: str
    best_at: str
    best: str
    range: str


def kol_view(t: Translate, page: KolPage, zone: tzinfo) -> dict[str, Any]:
    """What the page of one KOL shows beside its plain fields."""
    history = [(at.astimezone(zone), value) for at, value in page.hourly]
    forecast = [p._replace(at=p.at.astimezone(zone)) for p in page.forecast]
    return {
        "kol": page,
        "verdict_words": verdict_words(t, page),
        "interval_words": interval_words(t, page),
        "share_words": share_words(t, page),
        "what_if": what_if(t, page),
        "signals": signals(t, page.contributions),
        "charts": charts(t, history, forecast),
        "outlook": outlook(t, history, forecast),
        "forecast": forecast,
        "sparks": sparks(t, page.windows),
        "source_words": source_words(t, page),
        "stale": (page.features_age_s or 0.0) > STALE_S,
    }


def verdict_words(t: Translate, page: KolPage) -> str:
    """What the score means, for somebody who has to decide."""
    verdict = formats.verdict(page.trust_score)
    if verdict == "none" or page.trust_score is None:
        return t("trust_none_words")
    chance = 1 - page.trust_score / 100 if page.probability is None else page.probability
    rounded = f"{100 * chance:.0f}"
    # Exact zeros and ones would promise more than a model can.
    shown = {"0": "<1%", "100": ">99%"}.get(rounded, f"{rounded}%")
    return t(f"trust_words_{verdict}", chance=shown)


def interval_words(t: Translate, page: KolPage) -> str:
    """Whether the verdict would be another at the interval's ends."""
    if page.trust_score is None:
        return ""
    if page.trust_lower is None or page.trust_upper is None:
        return t("trust_interval_none")
    firm = formats.verdict(page.trust_lower) == formats.verdict(page.trust_upper)
    bounds = {"lower": formats.score(page.trust_lower), "upper": formats.score(page.trust_upper)}
    return t("trust_interval_narrow" if firm else "trust_interval_wide", **bounds)


def share_words(t: Translate, page: KolPage) -> str:
    """How many of its followers are no real audience."""
    if page.fake_share is None:
        return ""
    share, lower, upper = (formats.percent(value) for value in page.fake_share)
    return t("trust_share", share=share, lower=lower, upper=upper)


def what_if(t: Translate, page: KolPage) -> str:
    """What would have to be otherwise for which score."""
    if page.what_if is None or not page.what_if.changes:
        return ""
    changes = [
        t(
            "what_if_change",
            label=_within(name_of(t, "feature", feature)),
            value=formats.feature_value(t, feature, value),
            to=formats.feature_value(t, feature, to),
        )
        for feature, value, to in page.what_if.changes
    ]
    return t("what_if", score=formats.score(page.what_if.trust_score), changes=", ".join(changes))


def _within(name: str) -> str:
    """A name in the middle of a sentence."""
    return name[:1].lower() + name[1:]


def source_words(t: Translate, page: KolPage) -> str:
    """Where the features came from."""
    if page.features_source is None:
        return t("source_none")
    key = f"source_{page.features_source}"
    return t(key) if key in EN else t("source_other", source=page.features_source)


def signals(t: Translate, contributions: Sequence[Contribution]) -> list[Signal]:
    """The strongest contributions, strongest first; the effect's sign is turned to speak of trust."""
    strongest = sorted(contributions, key=lambda c: -abs(c.effect))[:SIGNALS]
    largest = max((abs(c.effect) for c in strongest), default=0.0)
    rows = []
    for c in strongest:
        words = t("why_lowers" if c.effect > 0 else "why_raises", effect=figures(f"{abs(c.effect):.2f}"))
        label = name_of(t, "feature", c.feature)
        bar = contribution_bar(c.effect, largest, Caption(label, words))
        rows.append(Signal(label, formats.feature_value(t, c.feature, c.value), formats.signed(-c.effect), bar))
    return rows


def charts(t: Translate, history: Sequence[tuple[datetime, float]], forecast: Sequence[ForecastPoint]) -> list[Markup]:
    """The chart for a desk and the one for a phone; CSS shows one of them. None without data."""
    if not history and not forecast:
        return []
    known = [v for _, v in history]
    words = {"last": formats.whole(known[-1] if known else None), "most": formats.whole(max(known, default=None))}
    if forecast:
        desc = t("chart_desc", hours=len(forecast), total=formats.whole(sum(p.value for p in forecast)), **words)
    else:
        desc = t("chart_desc_history", **words)
    caption = Caption(t("chart_title"), desc)
    return [
        line_chart(history, forecast, caption, formats.compact, (1080, 300), "wide"),
        line_chart(history[-NARROW_HOURS:], forecast, caption, formats.compact, (360, 230), "narrow"),
    ]


def outlook(
    t: Translate, history: Sequence[tuple[datetime, float]], forecast: Sequence[ForecastPoint]
) -> Outlook | None:
    """The forecast's total and best hour. The hours' intervals do not add up, so the total has none."""
    if not forecast:
        return None
    best = max(forecast, key=lambda p: p.value)
    bounds = {"lower": formats.compact(best.lower), "upper": formats.compact(best.upper)}
    return Outlook(
        hours=len(forecast),
        last=formats.whole(history[-1][1] if history else None),
        total=formats.whole(sum(p.value for p in forecast)),
        best_at=f"{weekday(best.at)} {best.at:%H:%M}",
        best=formats.whole(best.value),
        range=t("chart_best_range", value=formats.whole(best.value), **bounds),
    )


def sparks(t: Translate, windows: Sequence[Mapping[str, Any]]) -> list[Spark]:
    """The live tiles: the newest known value of a metric and its last windows."""
    if not windows:
        return []
    tiles = []
    for metric, show in SPARKS.items():
        values = [window.get(metric) for window in windows[:24]]
        latest = show(next((v for v in values if v is not None), None))
        caption = Caption(t(metric), t("spark_desc", n=len(values), last=latest))
        # Followers hardly move against their own size: bars from zero would be a solid block.
        bars = Markup("") if metric == "followers_last" else spark_bars(values[::-1], caption)
        tiles.append(Spark(metric, latest, bars))
    return tiles

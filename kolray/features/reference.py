"""The features as a table for people: ``kolray features --list`` and ``docs/features.md``."""

from __future__ import annotations

import polars as pl

from kolray.features.compute import FEATURES, LOOKBACK
from kolray.features.feature import Feature

SOURCES = {
    "profile": "the account and its followers, from profile events",
    "steps": "growth against reach, from one profile event to the next",
    "engagement": "reactions, from engagement and correction events",
    "hours": "the day's course, from the same events added up by hour",
    "comments": "what is said, by whom and when, from comment events",
    "posts": "the KOL's own rhythm, from post events",
    "web": "the quality of clicks, from web events of tracked pages",
}
"""Source → what its rows are."""


def feature_list() -> pl.DataFrame:
    """``name, source, unit, range, null when, meaning``, a row a feature."""
    return pl.DataFrame(
        [(f.name, f.source, f.unit, value_range(f), f.null_rule, f.doc) for f in FEATURES],
        schema=["name", "source", "unit", "range", "null when", "meaning"],
        orient="row",
    )


def value_range(feature: Feature) -> str:
    """As an interval; ∞ where there is no bound."""
    low = "-∞" if feature.low is None else f"{feature.low:g}"
    high = "∞" if feature.high is None else f"{feature.high:g}"
    return f"{low} … {high}"


def as_markdown() -> str:
    """``docs/features.md``."""
    parts = [
        "# Features\n",
        f"{len(FEATURES)} numbers a KOL, of the {LOOKBACK.days} days before the time they are asked for. Written by\n"
        "`python -m kolray.features.reference > docs/features.md`; a test compares it with the code.\n",
    ]
    for source, about in SOURCES.items():
        parts.append(f"## {source}: {about}\n")
        parts.append("| name | unit | range | null when | meaning |\n|---|---|---|---|---|")
        rows = feature_list().filter(source=source).drop("source")
        parts += ["| " + " | ".join(row) + " |" for row in rows.iter_rows()]
        parts.append("")
    return "\n".join(parts)


if __name__ == "__main__":
    print(as_markdown(), end="")  # noqa: T201 - this is what it is for

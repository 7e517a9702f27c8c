"""Every feature keeps its range and is null exactly when its rule says so; the list of features is that of the code."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from kolray.features import FEATURES, compute_features
from kolray.features.reference import SOURCES, as_markdown
from tests.silver import SILVER_SOCIAL, SILVER_WEB, START

AS_OF = START + timedelta(hours=96)
KOLS = 400
Row = dict[str, Any]


def sparse_events(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A few random events a KOL with random fields missing, zeros and ties, so that every rule is met both ways."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for kol in range(KOLS):
        n, types = int(rng.integers(1, 14)), rng.permutation(["engagement", "comment", "profile", "post", "correction"])
        few = list(types[: rng.integers(1, 6)])
        missing = [name for name in SILVER_SOCIAL if rng.random() < 0.12]
        empty = rng.random() < 0.15
        for i in range(n):
            row = {
                "event_type": str(rng.choice(few)), "author_id": f"a{rng.integers(0, 3)}",
                "followers": 0 if empty else int(rng.integers(0, 4)) * 50, "following": int(rng.integers(0, 3)),
                "posts": int(rng.integers(0, 3)), "verified": bool(rng.random() < 0.5),
                "account_created_at": START - timedelta(days=int(rng.integers(0, 3))),
                "text": str(rng.choice(["hay quá", "nice", "🔥", "follow me", "ok ok", "dep"])),
                "lang": str(rng.choice(["vi", "en"])), "sentiment": int(rng.integers(-1, 2)),
                **{c: int(rng.integers(0, 3)) * (not empty) for c in ("impressions", "views", "clicks", "likes")},
                "comments": int(rng.integers(0, 2)), "shares": int(rng.integers(0, 2)),
            }  # fmt: skip
            kept = {name: value for name, value in row.items() if name not in missing or name == "event_type"}
            at = START + timedelta(minutes=int(rng.integers(0, 60 * 40)) if rng.random() < 0.8 else 30)
            rows.append(kept | {"event_id": f"{kol}-{i}", "kol_id": f"k{kol:03d}", "platform": "x", "event_time": at})
    social = pl.DataFrame([{c: r.get(c) for c in SILVER_SOCIAL} for r in rows], schema=SILVER_SOCIAL)
    web = social.filter(pl.col("event_type") == "comment").select(
        pl.lit(None).cast(t).alias(c) if c not in ("event_id", "kol_id", "event_time") else c
        for c, t in SILVER_WEB.items()
    )
    kinds = pl.Series(rng.choice(["impression", "click", "conversion"], web.height))
    visitors = pl.Series([None if rng.random() < 0.4 else f"v{rng.integers(0, 3)}" for _ in range(web.height)])
    consent = pl.Series([None if rng.random() < 0.5 else True for _ in range(web.height)])
    web = web.with_columns(event_type=kinds, visitor=visitors.cast(pl.String), consent=consent.cast(pl.Boolean))
    return tuple(frame.with_columns(available_at="event_time") for frame in (social, web))  # type: ignore[return-value]


class Seen:
    """One KOL's rows, oldest first, as plain Python; the words of the null rules are made of it."""

    def __init__(self, social: list[Row], web: list[Row]) -> None:
        self.social, self.web = social, web
        self.profiles, self.comments, self.posts = (self.of(t) for t in ("profile", "comment", "post"))
        self.counts = self.of("engagement", "correction")
        self.clicks = [r for r in web if r["event_type"] == "click"]
        hours: dict[Any, Row] = {}
        for r in self.counts:
            hour = hours.setdefault(r["event_time"].replace(minute=0), dict.fromkeys(HOUR_SUMS, 0))
            for name in HOUR_SUMS:
                hour[name] += sum(r[c] or 0 for c in ENGAGEMENT) if name == "engagement" else r[name] or 0
        self.hours = [{k: max(0, v) for k, v in hour.items()} | {"at": at} for at, hour in sorted(hours.items())]

    def of(self, *types: str) -> list[Row]:
        return [r for r in self.social if r["event_type"] in types]

    def known(self, rows: list[Row], column: str) -> list[Any]:
        return [r[column] for r in rows if r[column] is not None]

    def last(self, column: str) -> Any:
        values = self.known(self.profiles, column)
        return values[-1] if values else None

    def sum(self, column: str) -> int:
        names = ENGAGEMENT if column == "engagement" else (column,)
        return sum(r[name] or 0 for r in self.counts for name in names)

    def hourly(self, column: str) -> list[int]:
        return [hour[column] for hour in self.hours]

    @property
    def steps(self) -> list[tuple[int, int]]:
        """(gain, impressions meanwhile)."""
        seen = [r for r in self.profiles if r["followers"] is not None]

        def reached(r: Row) -> int:
            return sum(c["impressions"] or 0 for c in self.counts if c["event_time"] <= r["event_time"])

        return [(b["followers"] - a["followers"], reached(b) - reached(a)) for a, b in pairwise(seen)]


ENGAGEMENT = ("likes", "comments", "shares")
HOUR_SUMS = ("engagement", "impressions", "likes", "comments", "views")


def alike(values: list[Any]) -> bool:
    return len(set(values)) < 2


def told(s: Seen, column: str) -> bool:
    return bool(s.known(s.counts, column))


def age_ms(s: Seen) -> float:
    created = s.last("account_created_at")
    return 0 if created is None else (AS_OF - created) / timedelta(milliseconds=1)


def when(rows: list[Row]) -> list[Any]:
    return [r["event_time"] for r in rows]


def times(s: Seen) -> int:
    return len({r["event_time"] for r in s.profiles if r["followers"] is not None})


def halves_without_time(s: Seen) -> bool:
    seen = [r["event_time"] for r in s.profiles if r["followers"] is not None]
    half = len(seen) // 2
    return alike(seen[: half + 1]) or alike(seen[half:])


def followed_unknown(s: Seen) -> bool:
    rows = [r for r in s.profiles if r["followers"] is not None]
    ends = len(rows) > 1 and rows[0]["following"] is not None and rows[-1]["following"] is not None
    return times(s) < 2 or not ends or not s.last("following")


def each(s: Seen, *types: str) -> list[int]:
    rows = [r for r in s.counts if not types or r["event_type"] in types]
    return [sum(r[c] or 0 for c in ENGAGEMENT) for r in rows]


def of_hours(s: Seen, column: str, where: str) -> list[int]:
    return [hour[column] for hour in s.hours if hour[where] > 0]


def no_response(s: Seen) -> bool:
    after = {r["event_time"].replace(minute=0) + timedelta(hours=h) for r in s.posts for h in (0, 1)}
    quiet = [hour["engagement"] for hour in s.hours if hour["at"] not in after]
    return len(quiet) == len(s.hours) or not sum(quiet)


def no_middle(s: Seen) -> bool:
    angles = [(math.tau * hour["at"].hour / 24, hour["engagement"]) for hour in s.hours]
    return math.hypot(*(sum(f(a) * w for a, w in angles) for f in (math.cos, math.sin))) < 1e-9


def opposite(posts: list[Row]) -> bool:
    half = len(posts) // 2
    turns = [[math.tau * p["event_time"].hour / 24 for p in part] for part in (posts[:half], posts[half:])]
    return any(math.hypot(sum(map(math.cos, turn)), sum(map(math.sin, turn))) < 1e-9 for turn in turns)


RULES: dict[str, Callable[[Seen], bool]] = {
    "followers unknown": lambda s: s.last("followers") is None,
    "whom it follows unknown": lambda s: s.last("following") is None,
    "posts unknown": lambda s: s.last("posts") is None,
    "creation time unknown": lambda s: s.last("account_created_at") is None,
    "verification unknown": lambda s: s.last("verified") is None,
    "followers unknown, or follows nobody": lambda s: s.last("followers") is None or not s.last("following"),
    "followers unknown, or age unknown or 0": lambda s: s.last("followers") is None or age_ms(s) <= 0,
    "posts unknown, or age unknown or 0": lambda s: s.last("posts") is None or age_ms(s) <= 0,
    "followers unknown, or no posts": lambda s: s.last("followers") is None or not s.last("posts"),
    "fewer than two profile events with followers, or none left": lambda s: not s.steps or not s.last("followers"),
    "fewer than two times with followers, or none left": lambda s: times(s) < 2 or not s.last("followers"),
    "a half of the profile events with followers of less than two times, or none left": lambda s: (
        halves_without_time(s) or not s.last("followers")
    ),
    "fewer than two times with followers, or follows nobody": followed_unknown,
    "followers never grew": lambda s: not any(gain > 0 for gain, _ in s.steps),
    "followers never changed": lambda s: not any(gain for gain, _ in s.steps),
    "fewer than two gains of followers": lambda s: sum(gain > 0 for gain, _ in s.steps) < 2,
    "whom it follows unknown, or follows nobody": lambda s: not s.last("following"),
    "fewer than four steps between profiles with followers, or all alike": lambda s: (
        len(s.steps) < 4 or alike([g for g, _ in s.steps]) or alike([r for _, r in s.steps])
    ),
    "no impressions between profiles": lambda s: not any(reached > 0 for _, reached in s.steps),
    "fewer than two steps, or the usual one changes nothing": lambda s: (
        len(s.steps) < 2 or not np.median([abs(gain) for gain, _ in s.steps])
    ),
    "no impressions": lambda s: s.sum("impressions") <= 0,
    "no likes, or comments never told": lambda s: s.sum("likes") <= 0 or not told(s, "comments"),
    "no likes, or shares never told": lambda s: s.sum("likes") <= 0 or not told(s, "shares"),
    "no views, or likes never told": lambda s: s.sum("views") <= 0 or not told(s, "likes"),
    "no impressions, or views never told": lambda s: s.sum("impressions") <= 0 or not told(s, "views"),
    "no impressions, or clicks never told": lambda s: s.sum("impressions") <= 0 or not told(s, "clicks"),
    "no engagement event, or followers unknown or 0": lambda s: not s.counts or not s.last("followers"),
    "followers unknown or 0, or no engagement": lambda s: not s.last("followers") or s.sum("engagement") <= 0,
    "fewer than two events, or no engagement": lambda s: len(s.counts) < 2 or not any(e > 0 for e in each(s)),
    "no engagement event": lambda s: not s.counts,
    "no engagement beside corrections": lambda s: sum(each(s, "engagement")) <= 0,
    "no engagement": lambda s: sum(s.hourly("engagement")) <= 0,
    "no engagement, or as much at opposite hours": lambda s: sum(s.hourly("engagement")) <= 0 or no_middle(s),
    "fewer than two hours with events, or no engagement": lambda s: (
        len(s.hours) < 2 or sum(s.hourly("engagement")) <= 0
    ),
    "fewer than three hours with events, or all alike": lambda s: (
        len(s.hours) < 3 or alike(s.hourly("engagement")[1:]) or alike(s.hourly("engagement")[:-1])
    ),
    "fewer than two hours with impressions, or no engagement in them": lambda s: (
        len(of_hours(s, "engagement", "impressions")) < 2 or not sum(of_hours(s, "engagement", "impressions"))
    ),
    "no engagement in an hour with impressions": lambda s: not sum(of_hours(s, "engagement", "impressions")),
    "fewer than two hours with likes, or no comments in them": lambda s: (
        len(of_hours(s, "comments", "likes")) < 2 or not sum(of_hours(s, "comments", "likes"))
    ),
    "fewer than two hours with impressions, or no views in them": lambda s: (
        len(of_hours(s, "views", "impressions")) < 2 or not sum(of_hours(s, "views", "impressions"))
    ),
    "fewer than two hours with events": lambda s: len(s.hours) < 2,
    "no active hour with a post in it or before it, or no engagement in others": no_response,
    "no comment": lambda s: not s.comments,
    "no text": lambda s: not s.known(s.comments, "text"),
    "no author known": lambda s: not s.known(s.comments, "author_id"),
    "no author known, or comments of one KOL alone at hand": lambda s: not s.known(s.comments, "author_id"),
    "fewer than two texts": lambda s: len(s.known(s.comments, "text")) < 2,
    "fewer than three comments, or all at once": lambda s: len(s.comments) < 3 or alike(when(s.comments)),
    "fewer than two comments": lambda s: len(s.comments) < 2,
    "no comment within an hour of a post": lambda s: (
        not any(
            any(timedelta() <= c["event_time"] - p["event_time"] < timedelta(hours=1) for p in s.posts)
            for c in s.comments
        )
    ),
    "language of the posts or of the comments unknown": lambda s: (
        not s.known(s.posts, "lang") or not s.known(s.comments, "lang")
    ),
    "no comment in Vietnamese with a text": lambda s: not any(c["lang"] == "vi" and c["text"] for c in s.comments),
    "sentiment unknown": lambda s: not s.known(s.comments, "sentiment"),
    "fewer than two comments with a sentiment": lambda s: len(s.known(s.comments, "sentiment")) < 2,
    "no post": lambda s: not s.posts,
    "fewer than three posts, or all at once": lambda s: len(s.posts) < 3 or alike(when(s.posts)),
    "fewer than two posts": lambda s: len(s.posts) < 2,
    "no post with a text": lambda s: not s.known(s.posts, "text"),
    "language of the posts unknown": lambda s: not s.known(s.posts, "lang"),
    "fewer than two posts with a language": lambda s: len(s.known(s.posts, "lang")) < 2,
    "fewer than four posts, or a half of them at opposite hours": lambda s: len(s.posts) < 4 or opposite(s.posts),
    "no impression of a page": lambda s: not any(r["event_type"] == "impression" for r in s.web),
    "no click": lambda s: not s.clicks,
    "no click with a visitor": lambda s: not s.known(s.clicks, "visitor"),
    "fewer than three clicks, or all at once": lambda s: len(s.clicks) < 3 or alike(when(s.clicks)),
    "fewer than two clicks": lambda s: len(s.clicks) < 2,
    "no web event": lambda s: not s.web,
    "consent unknown": lambda s: not s.known(s.web, "consent"),
    "fewer than three web events, or all at once": lambda s: len(s.web) < 3 or alike(when(s.web)),
}
"""Null rule → when it makes a value null, over the raw rows of one KOL."""


def by_kol(frame: pl.DataFrame) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in frame.sort("event_time", "event_id").iter_rows(named=True):
        found.setdefault(row["kol_id"], []).append(row)
    return found


SOCIAL, WEB = sparse_events(seed=3)
OF_KOL = {kol: Seen(rows, by_kol(WEB).get(kol, [])) for kol, rows in by_kol(SOCIAL).items()}
TABLE = compute_features(SOCIAL.lazy(), WEB.lazy(), AS_OF)


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_value_is_null_exactly_when_its_rule_says_so_and_else_within_its_range(feature: Any) -> None:
    values = dict(TABLE.select("kol_id", feature.name).iter_rows())
    expected = {kol for kol, seen in OF_KOL.items() if RULES[feature.null_rule](seen)}
    assert {kol for kol, value in values.items() if value is None} == expected
    assert 0 < len(expected) < KOLS
    known = [value for value in values.values() if value is not None]
    assert all(map(math.isfinite, known))
    assert feature.low is None or min(known) >= feature.low
    assert feature.high is None or max(known) <= feature.high


def test_every_rule_is_somebodys() -> None:
    assert set(RULES) == {feature.null_rule for feature in FEATURES}


def test_the_list_in_the_docs_is_that_of_the_code() -> None:
    assert {feature.source for feature in FEATURES} == set(SOURCES)
    docs = Path(__file__).parents[3] / "docs" / "features.md"
    remake = "python -m kolray.features.reference > docs/features.md"
    assert docs.read_text(encoding="utf-8") == as_markdown(), f"write it anew: {remake}"

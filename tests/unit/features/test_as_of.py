"""10,000 probes of features as of a time, as known at a time, against plain Python over the raw rows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from kolray.features import FEATURE_SCHEMA, compute_features
from tests.silver import START, silver_world

KOLS, DAYS = 200, 40
Row = dict[str, Any]


def delayed(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Most events are available within a minute, every fifth only hours or days later."""
    late = rng.random(frame.height) < 0.2
    delay = np.where(late, rng.integers(0, 6 * 86_400_000, frame.height), rng.integers(0, 60_000, frame.height))
    return frame.with_columns(available_at=pl.col("event_time") + pl.Series(delay).cast(pl.Duration("ms")))


RNG = np.random.default_rng(5)
SOCIAL, WEB = (delayed(frame, RNG) for frame in silver_world(KOLS, 45, hours=DAYS * 24, seed=5))


def random_time(number: int) -> tuple[datetime, datetime]:
    """(T, K): as known at T, or earlier or later, or both at the very milliseconds of an event."""
    as_of = START + timedelta(milliseconds=int(RNG.integers(0, DAYS * 86_400_000)))
    event = SOCIAL.row(int(RNG.integers(0, SOCIAL.height)), named=True)
    apart = timedelta(milliseconds=int(RNG.integers(-5 * 86_400_000, 5 * 86_400_000)))
    return [(as_of, as_of), (as_of, as_of + apart), (event["event_time"], event["available_at"])][number % 3]


TIMES = [random_time(number) for number in range(50)]


def share(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


BY_HAND = (
    "followers",
    "account_age_days",
    "engagement_rate",
    "likes_per_view",
    "posts_per_day",
    "sentiment_positive_share",
    "author_diversity",
    "web_ctr",
    "web_cvr",
)


def by_hand(social: list[Row], web: list[Row], as_of: datetime) -> Row:
    """A few features of one KOL from the rows known, in order of time and id."""
    counted = [row for row in social if row["event_type"] in ("engagement", "correction")]
    said = [row for row in social if row["event_type"] == "comment"]
    profiles = [row for row in social if row["event_type"] == "profile"]
    clicks = sum(row["event_type"] == "click" for row in web)
    sums = {name: sum(row[name] for row in counted) for name in ("likes", "comments", "shares", "impressions", "views")}
    moods = [row["sentiment"] for row in said]
    posts = [row["event_time"] for row in social if row["event_type"] == "post"]
    return {
        "followers": profiles[-1]["followers"] if profiles else None,
        "account_age_days": (as_of - profiles[-1]["account_created_at"]) / timedelta(days=1) if profiles else None,
        "engagement_rate": share(sums["likes"] + sums["comments"] + sums["shares"], sums["impressions"]),
        "likes_per_view": share(sums["likes"], sums["views"]),
        "posts_per_day": share(len(posts), max((as_of - min(posts)) / timedelta(days=1), 1 / 24)) if posts else None,
        "sentiment_positive_share": share(sum(mood > 0 for mood in moods), len(moods)),
        "author_diversity": share(len({row["author_id"] for row in said}), len(said)),
        "web_ctr": share(clicks, sum(row["event_type"] == "impression" for row in web)),
        "web_cvr": share(sum(row["event_type"] == "conversion" for row in web), clicks),
    }


def rows_by_kol(frame: pl.DataFrame) -> dict[str, list[Row]]:
    """Raw rows of each KOL, in order of time and id."""
    out: dict[str, list[Row]] = {}
    for row in frame.sort("event_time", "event_id").iter_rows(named=True):
        out.setdefault(row["kol_id"], []).append(row)
    return out


def known(rows: list[Row], as_of: datetime, known_at: datetime) -> list[Row]:
    start = as_of - timedelta(days=28)
    return [row for row in rows if start <= row["event_time"] < as_of and row["available_at"] <= known_at]


def test_ten_thousand_probes_are_what_plain_python_makes_of_the_raw_rows() -> None:
    social, web = rows_by_kol(SOCIAL), rows_by_kol(WEB)
    probes = present = 0
    for as_of, known_at in TIMES:
        expected = []
        for kol, events in social.items():
            mine, tracked = known(events, as_of, known_at), known(web[kol], as_of, known_at)
            expected += [{"kol_id": kol} | by_hand(mine, tracked, as_of)] if mine or tracked else []
        found = compute_features(SOCIAL.lazy(), WEB.lazy(), as_of, known_at)
        table = pl.DataFrame(expected, schema={name: FEATURE_SCHEMA[name] for name in ("kol_id", *BY_HAND)})
        assert_frame_equal(found.select(table.columns), table.sort("kol_id"), rel_tol=1e-9)
        probes, present = probes + len(social), present + len(expected)
    assert probes == 10_000
    assert present > 8_000


def test_what_is_not_known_changes_no_feature() -> None:
    for as_of, known_at in TIMES[:6]:
        unknown = (pl.col("event_time") >= as_of) | (pl.col("available_at") > known_at)
        other = pl.when(unknown).then(pl.lit(10**9)).otherwise(pl.col("likes", "followers")).name.keep()
        torn, fewer = SOCIAL.with_columns(other), WEB.filter(~unknown)
        expected = compute_features(SOCIAL.lazy(), WEB.lazy(), as_of, known_at)
        assert_frame_equal(compute_features(torn.lazy(), fewer.lazy(), as_of, known_at), expected)


def test_late_arrivals_are_known_later_and_the_default_is_to_know_nothing_but_the_time() -> None:
    as_of = START + timedelta(days=20)

    def at(known_at: datetime | None) -> pl.DataFrame:
        return compute_features(SOCIAL.lazy(), WEB.lazy(), as_of, known_at)

    def waiting(known_at: datetime) -> int:
        happened = SOCIAL.filter(pl.col("event_time") < as_of)
        return happened.filter(pl.col("available_at") > known_at).height

    assert_frame_equal(at(None), at(as_of))
    assert waiting(as_of) > waiting(as_of + timedelta(days=2)) > waiting(as_of + timedelta(days=7)) == 0
    assert not at(None).equals(at(as_of + timedelta(days=2)))
    assert at(as_of + timedelta(days=7)).equals(at(as_of + timedelta(days=99)))

"""What KOLs and their audiences do in one hour, as the platforms count it; all KOLs of a cohort at once as arrays."""

from __future__ import annotations

import numpy as np
import polars as pl

from kolray.clock import to_ms
from kolray.connectors.generator.cohort import HOUR_MS, Hour, Ints
from kolray.connectors.generator.platforms import PLATFORMS
from kolray.connectors.generator.texts import write_captions
from kolray.events import COUNTS

POLLED = 0.995
"""Chance that a KOL's hourly poll succeeds."""
PROFILE_EVERY_H = 6
DAY_MS = 86_400_000


def posts(hour: Hour) -> pl.DataFrame:
    """New posts."""
    index = np.flatnonzero(hour.post_ms >= 0)
    cohort, rng = hour.cohort, hour.rng
    other = hour.turned[index] & (rng.random(len(index)) < cohort["asleep"][index])  # the thief speaks another language
    language = np.where((cohort["language"][index] == "vi") ^ other, "vi", "en")
    same = rng.random(len(index)) < cohort["same_caption"][index]
    return event_frame(hour, index, "post", hour.post_ms[index]).with_columns(
        text=write_captions(rng, language, same, cohort["index"][index]), lang=pl.Series(language)
    )


def engagement(hour: Hour) -> pl.DataFrame:
    """Engagement events: what an hourly poll finds the counts grew by."""
    cohort, rng = hour.cohort, hour.rng
    index = np.flatnonzero(rng.random(hour.n) < POLLED)
    n = len(index)
    reach = cohort["followers"][index] * cohort["reach"][index] / 24
    impressions = np.maximum(1, reach * hour.level[index]).astype(np.int64)
    batch = np.where(rng.random(n) < 0.05, cohort["batches"][index] * rng.uniform(0.5, 5.0, n), 0.0)
    usual = reach * cohort["rate"][index]
    likes = np.minimum(rng.poisson(impressions * cohort["rate"][index] + usual * batch), impressions)
    noise = np.exp(rng.normal(0, cohort["loose_comments"][index]))
    comments = np.minimum(rng.poisson(likes * cohort["comment_ratio"][index] * noise), impressions)
    shown = cohort["view_share"][index] * np.exp(rng.normal(0, cohort["loose_views"][index]))
    counts = {
        "impressions": impressions,
        "views": rng.poisson(impressions * shown),
        "clicks": np.minimum(rng.poisson(impressions * cohort["click_rate"][index]), impressions),
        "likes": likes,
        "comments": comments,
        "shares": np.minimum(rng.poisson(likes * cohort["share_ratio"][index]), impressions),
    }
    return _hidden(event_frame(hour, index, "engagement").with_columns(**_series(counts)))


def corrections(hour: Hour) -> pl.DataFrame:
    """What the platform takes back of what it counted."""
    cohort, rng = hour.cohort, hour.rng
    index = np.flatnonzero(rng.random(hour.n) < cohort["taken_back"])
    usual = cohort["followers"][index] * cohort["reach"][index] / 24 * cohort["rate"][index]
    likes = -rng.poisson(usual * rng.uniform(0.05, 0.3, len(index)))
    taken = dict.fromkeys(COUNTS, np.zeros(len(index), np.int64)) | {"likes": likes}
    return _hidden(event_frame(hour, index, "correction").with_columns(**_series(taken)))


def profiles(hour: Hour) -> pl.DataFrame:
    """Profile snapshots: each KOL is polled every six hours."""
    cohort = hour.cohort
    index = np.arange(hour.hour % PROFILE_EVERY_H, hour.n, PROFILE_EVERY_H)
    created = to_ms(cohort.config.start) - cohort["age"][index].clip(20, 6000) * DAY_MS
    sizes = {"followers": cohort.followers[index], "following": cohort.following[index], "posts": cohort.posts[index]}
    frame = event_frame(hour, index, "profile").with_columns(
        **_series(sizes),
        verified=pl.Series(cohort["verified"][index]),
        account_created_at=pl.Series(created.astype(np.int64)).cast(pl.Datetime("ms", "UTC")),
    )
    return _hidden(frame)


def event_frame(hour: Hour, index: Ints, event_type: str, ms: Ints | None = None) -> pl.DataFrame:
    """Identity and time of ``len(index)`` events (ms into the hour; none: any time in it), in no order yet."""
    cohort = hour.cohort
    at = hour.at_ms + (hour.rng.integers(0, HOUR_MS, len(index)) if ms is None else ms)
    newest = pl.Series(cohort.posts[index])
    return pl.DataFrame(
        {
            "kol_id": cohort.kol_id.gather(index),
            "platform": cohort.platform.gather(index),
            "event_type": [event_type] * len(index),
            "event_time": pl.Series(at),
        },
        schema_overrides={"event_type": pl.String, "event_time": pl.Int64},
    ).with_columns(post_id=pl.format("{}-p{}", "kol_id", newest))


def _series(counts: dict[str, Ints]) -> dict[str, pl.Series]:
    return {name: pl.Series(values.astype(np.int64)) for name, values in counts.items()}


def _hidden(frame: pl.DataFrame) -> pl.DataFrame:
    """Without what the platform does not tell."""
    names = {name for platform in PLATFORMS.values() for name in platform.hidden} & set(frame.columns)
    silent = {name: [p for p, about in PLATFORMS.items() if name in about.hidden] for name in sorted(names)}
    return frame.with_columns(
        pl.when(~pl.col("platform").is_in(p)).then(name).alias(name) for name, p in silent.items()
    )

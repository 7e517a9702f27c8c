"""Deterministic events for the stream benchmark, in the proportions of the published peer comparison.

Four social events to one web event, 2,000 KOLs with skewed shares, event time growing evenly with up to 5 s disorder.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from kolray.events import COUNTS, SCHEMAS, Kind, conform

T0_MS = 1_760_000_100_000
"""Event time of the first event: a whole five minutes."""
PER_SECOND = 200
"""Social events a second of event time."""


def social_events(first: int, n: int, n_kols: int, seed: int, per_second: int = PER_SECOND) -> pl.DataFrame:
    """Social events number ``first`` to ``first + n``: 85 % engagement, 10 % comments, 5 % profiles."""
    rng = np.random.default_rng([seed, 1, first])
    kol = _kols(rng, n, n_kols)
    kind = rng.choice(3, n, p=[0.85, 0.10, 0.05])
    reach = rng.integers(50, 2000, n)
    counts = {name: np.where(kind == 0, reach // rng.integers(2, 60, n), 0) for name in COUNTS}
    counts["impressions"] = np.where(kind == 0, reach, 0)
    frame = pl.DataFrame(
        {
            "event_id": np.arange(first, first + n),
            "kol_id": kol,
            "event_type": np.array(["engagement", "comment", "profile"])[kind],
            "event_time": _times(rng, np.arange(first, first + n) * 1000 / per_second),
            "followers": np.where(kind == 2, 1000 + kol * 37 + rng.integers(0, 500, n), -1),
            **counts,
        }
    )
    return _conform(
        "social",
        frame.with_columns(
            _id("s", "event_id", 10),
            _id("kol_", "kol_id", 6),
            pl.lit("youtube").alias("platform"),
            pl.when(pl.col("followers") >= 0).then("followers").alias("followers"),
            pl.when(pl.col("event_type") == "comment").then(pl.lit("love this one")).alias("text"),
        ),
    )


def web_events(first: int, n: int, n_kols: int, seed: int, per_second: float = PER_SECOND) -> pl.DataFrame:
    """Web events number ``first`` to ``first + n``: 80 % impressions, 17 % clicks, 3 % conversions."""
    rng = np.random.default_rng([seed, 2, first])
    kol = _kols(rng, n, n_kols)
    frame = pl.DataFrame(
        {
            "event_id": np.arange(first, first + n),
            "kol_id": kol,
            "campaign_id": kol % 97,
            "event_type": np.array(["impression", "click", "conversion"])[rng.choice(3, n, p=[0.80, 0.17, 0.03])],
            "event_time": _times(rng, np.arange(first, first + n) * 4000 / per_second),
            "visitor": rng.integers(0, 1 << 40, n),
        }
    )
    return _conform(
        "web",
        frame.with_columns(
            _id("w", "event_id", 10),
            _id("kol_", "kol_id", 6),
            _id("c", "campaign_id", 3),
            _id("v", "visitor", 12),
            pl.lit(value=True).alias("consent"),
            pl.lit("https://shop.example/p").alias("url"),
        ),
    )


def chunks(
    n_events: int, n_kols: int, seed: int, size: int = 100_000, per_second: int = PER_SECOND
) -> Iterator[tuple[Kind, pl.DataFrame]]:
    """All events in the order they are produced: social and web side by side in event time.

    Args:
        per_second: social events a second of event time.
    """
    n_social = n_events * 4 // 5
    for first in range(0, n_social, size):
        n = min(size, n_social - first)
        yield "social", social_events(first, n, n_kols, seed, per_second)
        yield "web", web_events(first // 4, (first + n) // 4 - first // 4, n_kols, seed, per_second)


def _kols(rng: np.random.Generator, n: int, n_kols: int) -> npt.NDArray[np.int64]:
    """Skewed as audiences are: the first KOL gets about 30 times the share of the last."""
    weight = 1 / (np.arange(n_kols) + 20) ** 0.8
    return rng.choice(n_kols, n, p=weight / weight.sum())


def _times(rng: np.random.Generator, at_ms: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return T0_MS + at_ms.astype(np.int64) - rng.integers(0, 5000, len(at_ms))


def _id(prefix: str, column: str, digits: int) -> pl.Expr:
    return pl.format(prefix + "{}", pl.col(column).cast(pl.String).str.zfill(digits)).alias(column)


def _conform(kind: Kind, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(conform(SCHEMAS[kind], frame.columns))

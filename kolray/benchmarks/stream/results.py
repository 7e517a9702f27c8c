"""The rows an engine wrote: read back, compared with a batch computation, and its steady rate read off them."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from kolray.benchmarks.stream.meter import Meter
from kolray.events import COUNTS, Kind
from kolray.settings import KafkaSettings
from kolray.stream.fetch import BatchFetcher
from kolray.stream.values import records_of

KEYS = ["kind", "win", "kol_id", "window_start"]
PANE_MS = 300_000
SHORTEST_MS, FEWEST_STEPS = 2000, 20
"""Below, the rate between 30 and 90 % is that of a few large steps."""
_SOCIAL = (
    pl.col("events", *COUNTS).sum(),
    pl.col("lowest").min(),
    pl.col("highest").max(),
)
_WEB = (pl.col("impressions", "clicks", "conversions").sum(),)
ROW = {
    **dict.fromkeys(KEYS, pl.String),
    "window_start": pl.Int64,
    **dict.fromkeys(("events", *COUNTS, "followers_delta", "conversions"), pl.Int64),
    **dict.fromkeys(("engagement_rate", "ctr", "cvr"), pl.Float64),
}


def read_rows(kafka: KafkaSettings, topic: str) -> pl.DataFrame:
    """Every row of the topic, ``ROW``, ``appended_ms`` and ``partition``."""
    fetcher = BatchFetcher(kafka, {(topic, p): 0 for p in range(kafka.partitions)})
    parts: list[pl.DataFrame] = []
    while not fetcher.caught_up():
        for batch in fetcher.poll(1.0):
            parts.append(records_of(batch).select("value", "kafka_ms", partition=pl.lit(batch.partition)))
    fetcher.close()
    records = pl.concat(
        [pl.DataFrame(schema={"value": pl.Binary, "kafka_ms": pl.Int64, "partition": pl.Int32}), *parts]
    )
    rows = records["value"].cast(pl.String).str.json_decode(pl.Struct(ROW)).struct.unnest()
    return rows.with_columns(records["kafka_ms"].alias("appended_ms"), records["partition"])


def differences(rows: pl.DataFrame, events: Iterable[tuple[Kind, pl.DataFrame]]) -> int:
    """Rows missing, repeated, extra or different from the batch computation; ratios to 1e-9."""
    want = _batch(events)
    both = want.join(rows.unique(KEYS), on=KEYS, how="inner", suffix="_got")
    same = [
        pl.col(c).eq_missing(pl.col(f"{c}_got"))
        if want.schema[c].is_integer()
        else ((pl.col(c) - pl.col(f"{c}_got")).abs() < 1e-9).fill_null(
            pl.col(c).is_null() & pl.col(f"{c}_got").is_null()
        )
        for c in want.columns
        if c not in KEYS
    ]
    right = both.filter(pl.all_horizontal(same)).height
    return (want.height - right) + (rows.height - right)


def _batch(events: Iterable[tuple[Kind, pl.DataFrame]]) -> pl.DataFrame:
    """The rows as plain group-bys over the events: five minutes, and fifteen as three of them."""
    kept: dict[Kind, list[pl.DataFrame]] = {"social": [], "web": []}
    for kind, frame in events:
        kept[kind].append(_by_pane(kind, frame))
    social, web = _windows(pl.concat(kept["social"]), _SOCIAL), _windows(pl.concat(kept["web"]), _WEB)
    reach = pl.when(pl.col("impressions") > 0).then("impressions")
    social = social.select(
        pl.lit("social").alias("kind"), *KEYS[1:], "events", *COUNTS,
        followers_delta=(pl.col("highest") - pl.col("lowest")).fill_null(0),
        engagement_rate=(pl.col("likes") + pl.col("comments") + pl.col("shares")) / reach,
        ctr=pl.col("clicks") / reach,
    )  # fmt: skip
    web = web.select(
        pl.lit("web").alias("kind"), *KEYS[1:], "impressions", "clicks", "conversions",
        cvr=pl.col("conversions") / pl.when(pl.col("clicks") > 0).then("clicks"),
    )  # fmt: skip
    return pl.concat([social, web], how="diagonal").select(*ROW)


def _by_pane(kind: Kind, frame: pl.DataFrame) -> pl.DataFrame:
    start = (pl.col("event_time").dt.epoch("ms") // PANE_MS * PANE_MS).alias("window_start")
    followers = pl.col("followers").min().alias("lowest"), pl.col("followers").max().alias("highest")
    counts = (pl.len().cast(pl.Int64).alias("events"), pl.col(COUNTS).sum(), *followers)
    types = [
        (pl.col("event_type") == t).sum().cast(pl.Int64).alias(f"{t}s") for t in ("impression", "click", "conversion")
    ]
    return frame.group_by("kol_id", start).agg(*(counts if kind == "social" else types))


def _windows(panes: pl.DataFrame, over: tuple[pl.Expr, ...]) -> pl.DataFrame:
    keys = ["kol_id", "window_start"]
    five = panes.group_by(keys).agg(*over)
    shifted = pl.concat(five.with_columns(pl.col("window_start") - k * PANE_MS) for k in range(3))
    fifteen = shifted.group_by(keys).agg(*over)
    return pl.concat([five.with_columns(win=pl.lit("5m")), fifteen.with_columns(win=pl.lit("15m/5m"))])


def steady(rows: pl.DataFrame, events: int, meter: Meter) -> tuple[float, float] | None:
    """Events a second and a CPU second between 30 and 90 % of the work; None where that was too short to tell.

    Event time grows evenly over the input, four social events to a web event, and rows go to the partition that their
    events came from: so the newest window of each kind in each partition tells how far the engine had come with it.
    """
    five = rows.filter(pl.col("win") == "5m")
    first, last = five["window_start"].min(), five["window_start"].max()
    share = pl.when(pl.col("kind") == "social").then(0.8).otherwise(0.2) / five["partition"].n_unique()
    seen = five.group_by("appended_ms", "kind", "partition").agg(pl.col("window_start").max()).sort("appended_ms")
    newest = pl.col("window_start").cum_max().over("kind", "partition")
    done = seen.select(
        "appended_ms",
        source=pl.concat_str("kind", "partition"),
        done=share * events * (newest - first) / (last - first),  # type: ignore[operator]
    )
    steps = done.pivot("source", index="appended_ms", values="done", aggregate_function="max").sort("appended_ms")
    steps = steps.select("appended_ms", done=pl.sum_horizontal(pl.exclude("appended_ms").forward_fill().fill_null(0)))
    (t0, n0), (t1, n1) = (steps.filter(pl.col("done") >= events * part).row(0) for part in (0.3, 0.9))
    if t1 - t0 < SHORTEST_MS or steps.filter(pl.col("appended_ms").is_between(t0, t1)).height < FEWEST_STEPS:
        return None
    cpu_s = meter.cpu_at(t1 / 1000) - meter.cpu_at(t0 / 1000)
    return (n1 - n0) / (t1 - t0) * 1000, (n1 - n0) / cpu_s

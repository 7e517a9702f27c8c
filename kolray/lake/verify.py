"""The proof: every closed window recomputed from bronze and compared with what the stream wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import polars as pl

from kolray.events import KINDS, TIME, Columns, Kind
from kolray.features.window_metrics import METRICS
from kolray.lake.tables import PLACE, LakeTables
from kolray.protocols import TextClassifier
from kolray.stores.metrics import WINDOW_SCHEMA, MetricsStore
from kolray.stream.sentiment import NONE, FindModel, Span, in_force, no_model, spoken, with_sentiment
from kolray.stream.visitors import with_visitors
from kolray.stream.windows import WindowSpec, merge_panes, pane_aggregate, pane_ms, windows_of

KEYS = ["kol_id", "window", "window_start"]
DIFFERENCE: Columns = {
    "kol_id": pl.String,
    "window": pl.String,
    "window_start": TIME,
    "column": pl.String,
    "stream": pl.Int64,
    "lake": pl.Int64,
}


@dataclass(frozen=True)
class Verdict:
    """``differences``: one row each: key, ``column``, ``stream`` and ``lake`` value (null: the row is missing).

    ``unchecked``: sentiment models that were in force but are not kept; what they judged was not compared.
    ``since``: windows that start earlier were not compared. ``open_since``: the start of the first that was left out
    because the stream had not closed it.
    """

    windows: int
    differences: pl.DataFrame
    unchecked: tuple[str, ...] = ()
    since: datetime | None = None
    open_since: datetime | None = None


@dataclass(frozen=True)
class SentimentHistory:
    """Which sentiment model was in force when, by partition, as the stream's checkpoints say."""

    spans: Mapping[int, Sequence[Span]]
    find: FindModel


def verify(
    tables: LakeTables,
    store: MetricsStore,
    windows: Sequence[str],
    classifier: TextClassifier | None = None,
    history: SentimentHistory | None = None,
    since: datetime | None = None,
) -> Verdict:
    """Recomputes from bronze without late events, one per ``event_id`` and partition (the first offset counts).

    Comments are judged as ``history`` says, by ``classifier`` in partitions it does not name. Compared are all final
    rows of the store, and all windows of the lake that the stream has closed: those that end no later than the newest
    'final' row of their Kafka partition.

    Args:
        since: only windows that start then or later, from events of then or later. An event that was sent again under
            another time is known as a duplicate only where both of its times are.
    """
    specs = [WindowSpec.parse(text) for text in windows]
    stream = pl.concat([pl.DataFrame(schema=WINDOW_SCHEMA), *store.scan_windows(since=since)])
    stream = stream.filter(pl.col("window").is_in([spec.name for spec in specs]))
    events: dict[Kind, pl.DataFrame] = {kind: _counted(tables, kind, since) for kind in KINDS}
    partitions = pl.concat(frame.select("kol_id", "partition") for frame in events.values()).unique("kol_id")
    judged, unjudged, gone = _judged(events["social"], classifier, history or SentimentHistory({}, no_model))
    lake = recomputed({**events, "social": judged}, specs, None)
    lake = lake if since is None else lake.filter(pl.col("window_start") >= since)
    closed = _is_closed(lake, stream, specs, partitions)
    differences = _differences(stream, lake.filter(closed).select(*WINDOW_SCHEMA))
    if gone:
        panes = pane_aggregate("social", unjudged, pane_ms(specs))
        skipped = pl.concat(windows_of(panes, spec) for spec in specs).select(KEYS)
        of_sentiment = pl.col("column").is_in(("positive", "negative"))
        told = differences.filter(of_sentiment).join(skipped, on=KEYS, how="anti")
        differences = pl.concat([differences.filter(~of_sentiment), told])
    still_open: datetime | None = lake.filter(~closed)["window_start"].min()  # type: ignore[assignment]
    return Verdict(stream.height, differences, tuple(gone), since, still_open)


def _judged(
    social: pl.DataFrame, classifier: TextClassifier | None, history: SentimentHistory
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Events with ``sentiment``, comments whose model is gone, and the versions of those models."""
    ours = classifier.version if classifier else NONE

    @cache
    def find(version: str) -> TextClassifier | None:
        return classifier if version == ours else history.find(version)

    parts, lost, gone = [social.clear().with_columns(sentiment=pl.lit(None, pl.Int8))], [social.clear()], set()
    for (partition,), part in social.partition_by("partition", as_dict=True).items():
        spans = history.spans.get(partition) or [(0, ours)]
        parts.append(with_sentiment(part, spans, find))
        comments = part.filter(spoken(part))
        for place in in_force(comments, spans).unique():
            version = spans[place][1]
            if version != NONE and find(version) is None:
                gone.add(version)
                lost.append(comments.filter(in_force(comments, spans) == place))
    return pl.concat(parts), pl.concat(lost), sorted(gone)


def _counted(tables: LakeTables, kind: Kind, since: datetime | None) -> pl.DataFrame:
    """The events the stream was to count: a second copy of a late event is a duplicate, not an event on time."""
    late = tables.scan("bronze.late_events").select(PLACE).collect()
    rows = tables.scan(f"bronze.{kind}")
    rows = rows if since is None else rows.filter(pl.col("event_time") >= since)
    events = rows.collect().sort("partition", "offset")
    first = events.unique(["partition", "event_id"], keep="first", maintain_order=True)
    return first.join(late, on=PLACE, how="anti")


def recomputed(
    events: dict[Kind, pl.DataFrame], specs: list[WindowSpec], classifier: TextClassifier | None
) -> pl.DataFrame:
    """Every window of these events, each counted once, as ``WINDOW_SCHEMA``: the stream's work as one batch."""
    pane = pane_ms(specs)
    social = events["social"]
    if classifier is not None:
        social = with_sentiment(social, [(0, classifier.version)], lambda _: classifier)
    merged = merge_panes([pane_aggregate("social", social, pane), pane_aggregate("web", events["web"], pane)])
    return with_visitors(pl.concat(windows_of(merged, spec) for spec in specs), events["web"], specs)


def _is_closed(
    lake: pl.DataFrame, stream: pl.DataFrame, specs: list[WindowSpec], partitions: pl.DataFrame
) -> pl.Series:
    """Whether the stream has closed the window of each lake row."""
    sizes = pl.DataFrame(
        {"window": [s.name for s in specs], "size": [s.size_ms for s in specs]}, schema_overrides={"size": pl.Int64}
    )
    end = (pl.col("window_start").dt.epoch("ms") + pl.col("size")).alias("end")
    ends = stream.join(sizes, on="window").join(partitions, on="kol_id", how="left").with_columns(end)
    reached = ends.group_by("partition").agg(pl.col("end").max().alias("reached"))
    placed = lake.select("kol_id", "window", "window_start").with_row_index()
    placed = placed.join(sizes, on="window").join(partitions, on="kol_id", how="left").with_columns(end)
    known = placed.join(reached, on="partition", how="left").sort("index")
    return (known["end"] <= known["reached"]).fill_null(value=False)


def _differences(stream: pl.DataFrame, lake: pl.DataFrame) -> pl.DataFrame:
    both = stream.drop("final").join(lake.drop("final"), on=KEYS, how="full", suffix="_lake", coalesce=True)
    parts = [
        both.filter(pl.col(name).ne_missing(pl.col(f"{name}_lake"))).select(
            *KEYS, column=pl.lit(name), stream=pl.col(name), lake=pl.col(f"{name}_lake")
        )
        for name in METRICS
    ]
    return pl.concat([pl.DataFrame(schema=DIFFERENCE), *parts])

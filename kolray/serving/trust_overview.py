"""Everybody's trust: scores from Redis, what changed from the lake."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from kolray.events import TIME, Columns
from kolray.lake.tables import LakeTables
from kolray.serving.dashboard.data import RankedKol
from kolray.serving.dashboard.formats import HIGH_TRUST, LOW_TRUST
from kolray.serving.dashboard.report_data import BIN, BINS, Moved, TrustGroup, TrustPage
from kolray.serving.kept import Kept
from kolray.stores.features import FeatureStore

KEEP_S = 30
MOVES_S = 300
SAMPLE = 100_000
"""KOLs read at most: of more, as many by chance."""
MOVES = 8
LOWEST = 5
DAY = timedelta(days=1)
_WHO: Columns = {"kol_id": pl.String, "platform": pl.String, "category": pl.String, "tier": pl.String}
_SCORE: Columns = {"trust_score": pl.Float64, "lower": pl.Float64, "upper": pl.Float64}
_MOVES: Columns = {"kol_id": pl.String, **dict.fromkeys(("before", "now", "change"), pl.Float64), "since": TIME}
KINDS = ("platform", "category", "tier")


class TrustOverview:
    """The distribution of scores.

    Args:
        reference: rows of ``ref.kols`` by id, as they are now.
    """

    def __init__(self, lookup: FeatureStore, lake: LakeTables, reference: Kept[dict[str, dict[str, Any]]]) -> None:
        self._lookup, self._lake, self._reference = lookup, lake, reference
        self._everyone = Kept(self._read, KEEP_S)
        self._moves = Kept(self._compare, MOVES_S)

    def page(self, platform: str | None, category: str | None, model: str | None) -> TrustPage:
        """Of all, or of a platform, a category, or both.

        Raises:
            ServiceUnavailableError: Redis is away.
        """
        chosen = pl.lit(value=True)
        for name, value in (("platform", platform), ("category", category)):
            if value is not None:
                chosen = chosen & (pl.col(name) == value)
        everyone, (changes, possible_from) = self._everyone.get().filter(chosen), self._moves.get()
        moves = changes.join(everyone.select("kol_id", "platform"), on="kol_id").sort("change")
        sampled = len(self._reference.get()) > SAMPLE
        page = distribution(everyone, moves, model)
        return replace(page, sampled=sampled, compared=changes.height > 0, moves_from=possible_from)

    def _read(self) -> pl.DataFrame:
        rows = self._reference.get()
        ids: Sequence[str] = list(rows)
        if len(ids) > SAMPLE:
            ids = random.Random(0).sample(ids, SAMPLE)  # noqa: S311 - a sample, not a secret
        who = pl.DataFrame([rows[kol_id] for kol_id in ids], schema=_WHO)
        return who.join(self._lookup.scored(list(ids), _SCORE), on="kol_id", how="left")

    def _compare(self) -> tuple[pl.DataFrame, datetime | None]:
        """``kol_id, before, now, since, change``: newest scores with those a day older, by one model.

        With them when the first such pair can be: a day after the first score of the newest one's model.
        """
        rows = self._lake.scan("gold.scores")
        newest = rows.select(pl.col("as_of").max()).collect().item()
        if newest is None:
            return pl.DataFrame(schema=_MOVES), None
        recent = rows.filter(pl.col("dt") >= (newest - 3 * DAY).date())
        columns = ("kol_id", "model", "as_of", pl.col("trust_score").alias("now"))
        now = recent.select(columns).sort("as_of").unique("kol_id", keep="last")
        old = recent.filter(pl.col("as_of") <= newest - DAY).sort("as_of").unique("kol_id", keep="last")
        before = old.select("kol_id", "model", since="as_of", before="trust_score")
        # Another model judges otherwise: that is no news of the KOL.
        pairs = now.join(before, on=["kol_id", "model"]).with_columns(change=pl.col("now") - pl.col("before"))
        model = recent.filter(pl.col("as_of") == newest).select(pl.col("model").first()).collect().item()
        first = recent.filter(pl.col("model") == model).select(pl.col("as_of").min()).collect().item()
        return pairs.collect(), first + DAY


def distribution(everyone: pl.DataFrame, moves: pl.DataFrame, model: str | None) -> TrustPage:
    """The page of these rows.

    Args:
        everyone: ``kol_id, platform, category, tier``, and ``trust_score, lower, upper, as_of``, null without a score.
        moves: ``kol_id, platform, before, now, since, change``, those that fell the most first.
    """
    scored = everyone.drop_nulls("trust_score")
    bars = scored.select((pl.col("trust_score") // BIN).clip(0, BINS - 1).cast(pl.Int64)).to_series().value_counts()
    counts = dict(bars.iter_rows())
    firm = scored.filter(_verdict("lower") == _verdict("upper")).height
    median: float | None = scored["trust_score"].median()  # type: ignore[assignment]
    return TrustPage(
        known=everyone.height,
        bins=[counts.get(bar, 0) for bar in range(BINS)],
        firm=firm,
        median=median,
        groups=[group for kind in KINDS for group in _groups(scored, kind)],
        fell=_moved(moves.filter(pl.col("change") <= -1).head(MOVES)),
        rose=_moved(moves.filter(pl.col("change") >= 1).reverse().head(MOVES)),
        model=model,
        as_of=scored["as_of"].max(),  # type: ignore[arg-type]
        lowest=_lowest(scored),
    )


def _lowest(scored: pl.DataFrame) -> list[RankedKol]:
    rows = scored.bottom_k(LOWEST, by="trust_score").sort("trust_score", "kol_id").select(
        "kol_id", pl.col("platform").fill_null(""), "category", "tier",
        trust="trust_score", lower="lower", upper="upper", value="trust_score",
    )  # fmt: skip
    return [RankedKol(**row) for row in rows.iter_rows(named=True)]


def _verdict(name: str) -> pl.Expr:
    """As ``formats.verdict``: of the score as shown."""
    shown = pl.col(name).round(mode="half_to_even")
    return pl.when(shown >= HIGH_TRUST).then(2).when(shown >= LOW_TRUST).then(1).otherwise(0)


def _groups(scored: pl.DataFrame, kind: str) -> list[TrustGroup]:
    found = (
        scored.drop_nulls(kind)
        .group_by(kind)
        .agg(
            kols=pl.len(),
            low=(_verdict("trust_score") == 0).sum(),
            median=pl.col("trust_score").median(),
        )
        .sort("median", kind, descending=[True, False])
    )
    return [TrustGroup(kind, *row) for row in found.select(kind, "kols", "low", "median").iter_rows()]


def _moved(rows: pl.DataFrame) -> list[Moved]:
    columns = ("kol_id", "platform", "before", "now", "since")
    return [Moved(*row) for row in rows.with_columns(pl.col("platform").fill_null("")).select(columns).iter_rows()]

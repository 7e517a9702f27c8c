"""Patterns on closed windows (CEP), declared as data.

``OwnHistory`` compares a window's value with the mean and standard deviation of the KOL's own earlier windows
(Welford's recurrence, so the state is three numbers a KOL); ``Falling`` wants a value that falls several windows
in a row.
Rules see final rows of one window kind, oldest window first; corrected rows do not raise alerts again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from kolray.events import Columns
from kolray.features.window_metrics import ratio_exprs
from kolray.stores.metrics import ALERT_SCHEMA
from kolray.stream.windows import WindowSpec


@dataclass(frozen=True)
class OwnHistory:
    """``value`` is more than ``sigmas`` standard deviations above the KOL's own mean.

    Args:
        value: polars expression over a window row with its ratios and ``followers_before``.
        min_history: earlier windows needed before the rule may fire.
        min_value: smallest value worth an alert, in the value's unit.
        min_sd: standard deviation assumed at least, so that a flat history does not fire on noise.
        only: further condition on the row.
    """

    name: str
    value: str
    sigmas: float = 4.0
    min_history: int = 12
    min_value: float = 0.0
    min_sd: float = 0.0
    only: str | None = None
    severity: str = "warning"
    window: str = "1h"


@dataclass(frozen=True)
class Falling:
    """``value`` falls ``times`` windows in a row, by at least ``by`` in all."""

    name: str
    value: str
    times: int = 3
    by: float = 0.0
    severity: str = "warning"
    window: str = "1h"


Rule = OwnHistory | Falling

RULES: tuple[Rule, ...] = (
    OwnHistory("follower_spike", "followers_last - followers_before", min_value=50, min_sd=5, severity="high"),
    OwnHistory(
        "engagement_burst_without_reach",
        "(likes + comments + shares) / (impressions + 1)",
        min_value=0.05,
        min_sd=0.005,
        only="impressions >= 100",
        severity="high",
    ),
    OwnHistory("click_storm", "ctr", min_value=0.05, min_sd=0.005, only="impressions >= 100", severity="high"),
    Falling("sentiment_falling", "sentiment_ratio", times=3, by=0.2),
)

STATE_SCHEMA: Columns = {
    "rule": pl.String,
    "kol_id": pl.String,
    "n": pl.Int64,
    "mean": pl.Float64,
    "m2": pl.Float64,
    "last": pl.Float64,
    "from_value": pl.Float64,
}
"""State of a rule for a KOL: Welford's ``n, mean, m2``; for ``Falling`` ``n`` is the length of the fall so far."""


class Patterns:
    """All rules over the KOLs of one partition."""

    def __init__(self, rules: tuple[Rule, ...] = RULES) -> None:
        self._rules = rules
        self._states = {rule.name: pl.DataFrame(schema=STATE_SCHEMA) for rule in rules}
        self._followers = pl.DataFrame(schema={"kol_id": pl.String, "followers_before": pl.Int64})

    def snapshot(self) -> dict[str, pl.DataFrame]:
        """State to keep in a checkpoint."""
        return {"rules": pl.concat(self._states.values()), "followers": self._followers}

    def restore(self, snapshot: dict[str, pl.DataFrame]) -> None:
        """Takes over the state of ``snapshot()``; rules that did not exist then start empty."""
        rules = snapshot["rules"]
        self._states = {r.name: rules.filter(pl.col("rule") == r.name) for r in self._rules}
        self._followers = snapshot["followers"]

    @staticmethod
    def none() -> pl.DataFrame:
        """No alerts."""
        return pl.DataFrame(schema=ALERT_SCHEMA)

    def on_closed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Alerts (``ALERT_SCHEMA``) raised by final rows of any window kinds."""
        alerts = [self.none()]
        for window in {rule.window for rule in self._rules}:
            mine = rows.filter(pl.col("window") == window).with_columns(ratio_exprs())
            for (_,), group in sorted(mine.group_by("window_start"), key=lambda item: item[0]):
                alerts += self._on_window(window, group)
        return pl.concat(alerts)

    def _on_window(self, window: str, rows: pl.DataFrame) -> list[pl.DataFrame]:
        rows = rows.join(self._followers, on="kol_id", how="left")
        seen = rows.filter(pl.col("followers_last").is_not_null())
        self._followers = pl.concat(
            [
                seen.select("kol_id", followers_before="followers_last"),
                self._followers.join(seen, on="kol_id", how="anti"),
            ]
        )
        out = []
        for rule in self._rules:
            if rule.window == window:
                values = rows.with_columns(value=pl.sql_expr(rule.value).cast(pl.Float64)).filter(
                    pl.col("value").is_not_null()
                )
                fired, self._states[rule.name] = _evaluate(rule, values, self._states[rule.name])
                out.append(_alerts(rule, fired))
        return [alerts for alerts in out if alerts.height]


def _evaluate(rule: Rule, values: pl.DataFrame, state: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows that fire, the state after these rows)."""
    if isinstance(rule, OwnHistory) and rule.only:
        values = values.filter(pl.sql_expr(rule.only))
    now = values.join(state.drop("rule"), on="kol_id", how="left").with_columns(
        pl.col("n").fill_null(0), pl.col("mean", "m2").fill_null(0.0)
    )
    after = _own_history(rule, now) if isinstance(rule, OwnHistory) else _falling(rule, now)
    fired = after.filter("fires")
    kept = state.join(values, on="kol_id", how="anti")
    moved = after.select(pl.lit(rule.name).alias("rule"), *(pl.col(f"{c}_after").alias(c) for c in _MOVING))
    return fired, pl.concat([kept, moved.select(*STATE_SCHEMA)])


_MOVING = ("kol_id", "n", "mean", "m2", "last", "from_value")


def _own_history(rule: OwnHistory, now: pl.DataFrame) -> pl.DataFrame:
    sd = pl.max_horizontal((pl.col("m2") / (pl.col("n") - 1).clip(1)).sqrt(), pl.lit(rule.min_sd))
    sigma = (pl.col("value") - pl.col("mean")) / pl.when(sd > 0).then(sd)
    enough = (pl.col("n") >= rule.min_history) & (pl.col("value") >= rule.min_value)
    mean_after = pl.col("mean") + (pl.col("value_kept") - pl.col("mean")) / (pl.col("n") + 1)
    # A value that fires is winsorised, or one burst would hide the next for a whole day.
    return (
        now.with_columns(sd=sd, sigma=sigma, fires=(enough & (sigma > rule.sigmas)).fill_null(value=False))
        .with_columns(value_kept=pl.when("fires").then(pl.col("mean") + rule.sigmas * pl.col("sd")).otherwise("value"))
        .with_columns(mean_after=mean_after)
        .with_columns(
            kol_id_after="kol_id",
            n_after=pl.col("n") + 1,
            m2_after=pl.col("m2")
            + (pl.col("value_kept") - pl.col("mean")) * (pl.col("value_kept") - pl.col("mean_after")),
            last_after="value",
            from_value_after=pl.lit(None, pl.Float64),
        )
    )


def _falling(rule: Falling, now: pl.DataFrame) -> pl.DataFrame:
    falls = (pl.col("value") < pl.col("last")).fill_null(value=False)
    length = pl.when(falls).then(pl.col("n") + 1).otherwise(0)
    start = pl.when(falls & (pl.col("n") > 0)).then("from_value").when(falls).then("last").otherwise("value")
    return (
        now.with_columns(n_after=length, from_value_after=start)
        .with_columns(
            fires=(pl.col("n_after") == rule.times) & (pl.col("from_value_after") - pl.col("value") >= rule.by),
            mean=pl.col("from_value_after"),
            sd=pl.lit(None, pl.Float64),
            sigma=pl.lit(None, pl.Float64),
        )
        .with_columns(kol_id_after="kol_id", mean_after=pl.lit(0.0), m2_after=pl.lit(0.0), last_after="value")
    )


def _alerts(rule: Rule, fired: pl.DataFrame) -> pl.DataFrame:
    if not fired.height:
        return pl.DataFrame(schema=ALERT_SCHEMA)
    ids = [
        hashlib.sha256(f"{rule.name}|{kol}|{start.isoformat()}".encode()).hexdigest()[:32]
        for kol, start in fired.select("kol_id", "window_start").iter_rows()
    ]
    evidence = pl.struct(
        pl.lit(rule.value).alias("metric"),
        pl.col("value").round(6),
        pl.col("mean").round(6).alias("own_mean" if isinstance(rule, OwnHistory) else "fell_from"),
        pl.col("sd").round(6).alias("own_sd"),
        pl.col("sigma").round(2).alias("sigmas"),
        pl.col("n").alias("windows_of_history"),
    ).struct.json_encode()
    return fired.select(
        pl.Series("alert_id", ids),
        pl.lit(rule.name).alias("rule"),
        "kol_id",
        "window",
        "window_start",
        pl.lit(rule.severity).alias("severity"),
        evidence.alias("evidence"),
        (pl.col("window_start") + pl.duration(milliseconds=WindowSpec.parse(rule.window).size_ms)).alias("at"),
    ).cast(pl.Schema(ALERT_SCHEMA))

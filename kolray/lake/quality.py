"""Rows against the rules: reasons and rule ids of the broken, counts of every rule for ``silver.quality``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from kolray.events import TIME, Columns, Kind, invalid_reason
from kolray.lake.rules import DUPLICATE, RULES, Rule, rules_of

COUNTED: Columns = {
    "kind": pl.String,
    "rule": pl.String,
    "severity": pl.String,
    "checked": pl.Int64,
    "failed": pl.Int64,
}
MEANS = {rule.id: rule.means for rule in RULES}


def is_broken(kind: Kind) -> pl.Expr:
    """True for rows that break an error: a quarter of the work of saying which."""
    return pl.any_horizontal(rule.broken.fill_null(value=False) for rule in rules_of(kind, "error"))


def with_reason(kind: Kind, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with ``reason``: the first error, null for a valid row."""
    return rows.with_columns(reason=invalid_reason(kind))


def with_rules(kind: Kind, broken: pl.DataFrame) -> pl.DataFrame:
    """Broken rows with ``rules``: the ids of all errors, separated by ``, ``."""
    named = [pl.when(rule.broken).then(pl.lit(rule.id)) for rule in rules_of(kind, "error")]
    return broken.with_columns(rules=pl.concat_str(named, separator=", ", ignore_nulls=True))


def count_failures(kind: Kind, valid: pl.DataFrame, broken: pl.DataFrame, copies: int) -> pl.DataFrame:
    """How many rows of a run broke each rule, as ``COUNTED``.

    Args:
        valid: rows that silver gains; they are checked for warnings, and keep all that would be errors.
        broken: rows that quarantine gains.
        copies: further rows that were dropped since their ``event_id`` was there.
    """
    gained = valid.height + broken.height
    return pl.concat(
        [
            _counted(kind, rules_of(kind, "error"), broken, gained),
            pl.DataFrame([(kind, DUPLICATE.id, "duplicate", valid.height + copies, copies)], COUNTED, orient="row"),
            _counted(kind, rules_of(kind, "warning"), valid, valid.height),
        ]
    )


def _counted(kind: Kind, rules: list[Rule], rows: pl.DataFrame, checked: int) -> pl.DataFrame:
    """One pass over the columns for all rules."""
    failed = rows.select(rule.broken.fill_null(value=False).sum().alias(rule.id) for rule in rules).row(0)
    counts = [(kind, rule.id, rule.severity, checked, n) for rule, n in zip(rules, failed, strict=True)]
    return pl.DataFrame(counts, COUNTED, orient="row")


def quality_rows(counted: Iterable[pl.DataFrame], at: datetime, bronze_version: int) -> pl.DataFrame:
    """Rows of ``silver.quality`` of one run and kind, from the counts of its tasks."""
    keys = ["kind", "rule", "severity"]
    added = pl.concat(counted).group_by(keys, maintain_order=True).agg(pl.col("checked", "failed").sum())
    return added.with_columns(
        at=pl.lit(at).cast(TIME), bronze_version=pl.lit(bronze_version, pl.Int64), dt=pl.lit(at.date())
    )


def newest_runs(quality: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of each kind's last run."""
    return quality.filter(pl.col("bronze_version") == pl.col("bronze_version").max().over("kind"))


def summary(quality: pl.LazyFrame) -> pl.DataFrame:
    """Failures of each kind and rule over some runs.

    Args:
        quality: rows of ``silver.quality``.

    Returns:
        ``kind, rule, severity, checked, failed, share, newest, means``; the most broken on top.
        ``newest`` is the time of the last run in which a row broke it.
    """
    keys = ["kind", "rule", "severity"]
    broken_at = pl.col("at").filter(pl.col("failed") > 0).max()
    sums = quality.group_by(keys).agg(pl.col("checked", "failed").sum(), newest=broken_at).collect()
    share = pl.when(pl.col("checked") > 0).then(pl.col("failed") / pl.col("checked"))
    means = pl.col("rule").replace_strict(MEANS, default="a rule of an earlier version", return_dtype=pl.String)
    shown = sums.with_columns(share=share, means=means).sort(
        "failed", "severity", "kind", "rule", descending=[True, False, False, False]
    )
    return shown.select(*keys, "checked", "failed", "share", "newest", "means")

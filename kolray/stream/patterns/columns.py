"""Which columns a pattern's state has: one row a KOL, named by the pattern's key and the step's place."""

from __future__ import annotations

import polars as pl

from kolray.events import Columns
from kolray.stream.patterns.declare import Pattern, Step

BASE: Columns = {"kol_id": pl.String, "seen_ms": pl.Int64, "followers_before": pl.Int64}
"""The KOL, the start of its last window (ms), and its followers then."""

PATH: Columns = {"at": pl.List(pl.Int64), "value": pl.List(pl.Float64)}
"""Matches of the steps so far: window starts (ms) and values."""


def at(pattern: Pattern, place: int, name: str) -> str:
    """The column of a step's state.

    >>> at(Pattern("p", (Step(when="likes > 1"),)), 0, "run").split("@")[0]
    'p'
    """
    return f"{pattern.key}.{place}.{name}"


def state_columns(pattern: Pattern) -> Columns:
    """Names and types of all columns of a pattern's state; all are null for a KOL it has not seen."""
    found: Columns = {}
    for place, step in enumerate(pattern.steps):
        found |= {at(pattern, place, name): dtype for name, dtype in _of_step(pattern, place, step).items()}
    return found


def _of_step(pattern: Pattern, place: int, step: Step) -> Columns:
    found: Columns = {}
    if step.keeps_history:
        found |= {"n": pl.Int64, "mean": pl.Float64, "m2": pl.Float64}
    if step.keeps_previous:
        found |= {"last": pl.Float64}
    if step.counts_runs:
        found |= {"run": pl.Int64}
    if step.trend is not None:
        found |= {"from": pl.Float64}
    if step.absent:
        return found | {"held": pl.Int64}
    if place != pattern.present[-1] or pattern.awaits_absence:
        found |= {f"path_{name}": dtype for name, dtype in PATH.items()}
    if step.times > 1 and place != pattern.present[0]:
        found |= {f"before_{name}": dtype for name, dtype in PATH.items()}
    return found

"""``kolray models backtest success --task young-posts``: what posts gather, from their first hour."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from kolray.lake.tables import LakeTables
from kolray.models.success.posts import Posts, lake_posts, read_posts
from kolray.models.success.young_posts_report import YoungPostsReport, judge_young_posts
from kolray.settings import load_settings


def backtest_young_posts(
    file: Path | None, maps: dict[str, str], metric: str, hours: tuple[float, float], step_minutes: float, seed: int
) -> YoungPostsReport:
    """Judges on posts of ``file``, or of the lake; ``hours``: known after posting, and asked for."""
    posts = read_posts(file, step_minutes, maps) if file is not None else _of_lake(metric)
    return judge_young_posts(posts, *hours, seed)


def _of_lake(metric: str) -> Posts:
    return lake_posts(LakeTables(load_settings().lake_root).scan("silver.social"), metric)


def show_young_posts(report: YoungPostsReport, *, as_json: bool) -> None:
    """Prints the report."""
    if as_json:
        print(json.dumps(report.to_dict()))
        return
    title = f"RMSLE on {report.posts:,} newest posts, from the first {report.known_h:g} h"
    table = Table("after posting", "forecast", "last value", "constant growth", "90 % intervals cover", title=title)
    for row in report.by_horizon:
        names = ("rmsle", "last_value_rmsle", "constant_growth_rmsle", "coverage_90")
        table.add_row(f"{row['horizon_h']:g} h", *(f"{row[name]:.3f}" for name in names))
    Console().print(table)
    if report.seen.get("posts"):
        seen = report.seen
        print(
            f"the {seen['posts']:,.0f} with a count in the first {report.known_h:g} h, at {report.horizon_h:g} h:"
            f" {seen['rmsle']:.3f}, last value {seen['last_value_rmsle']:.3f},"
            f" constant growth {seen['constant_growth_rmsle']:.3f}"
        )

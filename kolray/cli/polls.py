"""``kolray ingest youtube|tiktok|weibo`` and ``plan``: accounts polled once, and which to poll when."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from kolray.cli.options import COUNTS_AS_JSON
from kolray.errors import InvalidInputError
from kolray.settings import Settings, load_settings

if TYPE_CHECKING:
    from kolray.connectors.plan import Planned

DUE = typer.Option(False, "--due", help="those that `kolray ingest plan` has now, as far as the quota goes")


def ingest_youtube(
    channels: list[str] = typer.Option([], "--channel", help="channel id; default: every channel recorded"),
    recordings: Path | None = typer.Option(None, help="folder of recorded API responses instead of the network"),
    due: bool = DUE,
    as_json: bool = COUNTS_AS_JSON,
) -> None:
    """Poll YouTube channels once: profile, videos, comments."""
    _poll("youtube", channels, recordings, due, as_json)


def ingest_tiktok(
    users: list[str] = typer.Option([], "--user", help="username, without @"),
    due: bool = DUE,
    as_json: bool = COUNTS_AS_JSON,
) -> None:
    """Poll TikTok users once: profile, videos, comments."""
    _poll("tiktok", users, None, due, as_json)


def ingest_weibo(
    uids: list[str] = typer.Option([], "--uid", help="numeric user id"),
    due: bool = DUE,
    as_json: bool = COUNTS_AS_JSON,
) -> None:
    """Poll Weibo users once: profile, posts, comments."""
    _poll("weibo", uids, None, due, as_json)


def ingest_plan(
    platform: str = typer.Option("youtube", help="youtube, tiktok or weibo"),
    as_json: bool = typer.Option(False, "--json", help="the plan as JSON"),
) -> None:
    """Show which accounts to poll when: those of ref.kols and those polled before, within the quota."""
    planned, left = _planned(load_settings(), platform)
    if as_json:
        rows = [vars(each) | {"at": each.at.isoformat()} for each in planned]
        print(json.dumps({"platform": platform, "units_left": left, "accounts": rows}))
        return
    polls = sum(each.polls for each in planned)
    spent = sum(each.polls * each.cost for each in planned)
    table = Table(title=f"{platform}: {left:,} units left until the reset, {spent:,} planned for {polls:,} polls")
    for name in ("KOL", "per hour", "expected", "cost", "polls", "next (UTC)"):
        table.add_column(name, justify="left" if name == "KOL" else "right", no_wrap=True)
    for each in planned:
        counts = (f"{each.change_per_h:,.1f}", f"{each.change:,.0f}", str(each.cost), str(each.polls))
        table.add_row(each.account_id, *counts, f"{each.at:%m-%d %H:%M}")
    Console().print(table)


def _poll(platform: str, accounts: list[str], recordings: Path | None, due: bool, as_json: bool) -> None:
    from kolray.clock import SystemClock
    from kolray.connectors.poll_run import poll_platform
    from kolray.stream.denied import open_deny_list

    settings = load_settings()
    counts: dict[str, Any] = {}
    if due:
        now = SystemClock().now()
        soon = [each.account_id for each in _planned(settings, platform)[0] if each.polls and each.at <= now]
        accounts = [account for account in soon if account in accounts or not accounts]
    if accounts or not due:
        denied = open_deny_list(settings).has
        counts = poll_platform(settings, platform, accounts, recordings, denied=denied)
    told = ", ".join(f"{value:,} {name}" for name, value in counts.items())
    print(json.dumps(counts) if as_json else told or "nothing new")


def _planned(settings: Settings, platform: str) -> tuple[Sequence[Planned], int]:
    import polars as pl

    from kolray.connectors.poll_run import PLATFORMS, plan_platform
    from kolray.lake.reference import current
    from kolray.stream.denied import open_deny_list

    if platform not in PLATFORMS:
        raise InvalidInputError(f"--platform {platform}: use {', '.join(PLATFORMS)}")
    listed = current(settings.lake_root, "kols").filter(pl.col("platform") == platform)
    allowed = open_deny_list(settings).allowed(listed)
    return plan_platform(settings, platform, allowed["kol_id"].to_list())


def register(app: typer.Typer) -> None:
    """Adds the commands to ``kolray ingest``."""
    app.command("youtube")(ingest_youtube)
    app.command("tiktok")(ingest_tiktok)
    app.command("weibo")(ingest_weibo)
    app.command("plan")(ingest_plan)

"""``kolray top``: the best KOLs, what happens to them now, and the alerts, in a terminal."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from kolray.errors import InvalidInputError, KolrayError
from kolray.settings import load_settings
from kolray.stores.rankings import RankBy

if TYPE_CHECKING:
    from kolray.client import Client
    from kolray.serving.contracts import Alert, LiveWindow, RankingAnswer

URL = typer.Option(None, "--url", envvar="KOLRAY_URL", help="the API; none: where the settings say it is served")
TOKEN = typer.Option(None, "--token", envvar="KOLRAY_TOKEN", help="an API token", show_envvar=True)
COLUMNS = {"trust": "trust ≥", "success": "next 24 h", "engagement": "last 24 h", "growth": "followers"}
LOOK_S = 3.0
"""Seconds between looks at the ranking: a fifth of what a token may ask by default."""
SHOW_S = 0.5
ALERTS = 8
OPEN = "pane"
SHOWN = {"value": "value", "own_mean": "usually", "fell_from": "from", "rose_from": "from", "sigmas": "sigmas"}
"""What of an alert's evidence a line has room for."""
SEVERE = {"high": "bold red", "warning": "yellow"}


def open_client(url: str | None, token: str | None) -> Client:
    """A client of the API that the options, or the settings, name.

    Raises:
        InvalidInputError: no token.
    """
    from kolray.client import Client

    if not token:
        raise InvalidInputError("an API token is needed: `kolray tokens create NAME`, then --token or KOLRAY_TOKEN")
    serving = load_settings().serving
    return Client(url or f"http://{serving.host}:{serving.port}", token)


@dataclass
class Seen:
    """What is on the screen; filled by threads that follow the API."""

    ranking: RankingAnswer | None = None
    windows: dict[tuple[str, str], LiveWindow] = field(default_factory=dict)
    alerts: deque[Alert] = field(default_factory=lambda: deque(maxlen=ALERTS))
    problem: str = ""

    def shown(self) -> list[str]:
        """The KOLs of the ranking."""
        return [row.kol_id for row in self.ranking.ranking] if self.ranking else []

    def look(self, ask: Callable[[], RankingAnswer]) -> None:
        """The ranking of now; while the API is away the last one stays."""
        try:
            self.ranking, self.problem = ask(), ""
        except KolrayError as error:
            self.problem = str(error)

    def add_alert(self, alert: Alert) -> None:
        """In front, once."""
        if all(alert.alert_id != held.alert_id for held in self.alerts):
            self.alerts.appendleft(alert)


def top(
    by: RankBy = typer.Option("trust", help="trust, success, engagement or growth"),
    platform: str | None = typer.Option(None, help="of this platform alone"),
    category: str | None = typer.Option(None, help="of this category alone"),
    n: int = typer.Option(15, "-n", min=1, max=50, help="KOLs shown"),
    once: bool = typer.Option(False, "--once", help="show it once and end"),
    as_json: bool = typer.Option(False, "--json", help="ranking and newest alerts as JSON, once"),
    url: str | None = URL,
    token: str | None = TOKEN,
) -> None:
    """The best KOLs with what happens to them now, and the alerts, live until Ctrl-C; asks a running API."""
    with open_client(url, token) as client:
        seen = Seen(client.rankings(by, platform, category, n))
        for alert in reversed(client.alerts(limit=ALERTS)):
            seen.add_alert(alert)
        if as_json:
            alerts = [alert.model_dump(mode="json") for alert in seen.alerts]
            print(json.dumps({"ranking": seen.ranking and seen.ranking.model_dump(mode="json"), "alerts": alerts}))
        elif once:
            Console().print(view(seen, by))
        else:
            _follow(client, seen, by, lambda: client.rankings(by, platform, category, n))


def _follow(client: Client, seen: Seen, by: RankBy, look: Callable[[], RankingAnswer]) -> None:
    for work in (_follow_alerts, _follow_windows):
        threading.Thread(target=_again_and_again, args=(work, client, seen), daemon=True).start()
    with Live(view(seen, by), screen=True, auto_refresh=False) as screen, suppress(KeyboardInterrupt):
        next_look = 0.0
        while True:
            if time.monotonic() >= next_look:
                next_look = time.monotonic() + LOOK_S
                seen.look(look)
            screen.update(view(seen, by), refresh=True)
            time.sleep(SHOW_S)


def _follow_alerts(client: Client, seen: Seen) -> None:
    for _, alert in client.live_alerts():
        seen.add_alert(alert)


def _follow_windows(client: Client, seen: Seen) -> None:
    """Until the ranking names others."""
    followed = seen.shown()
    if not followed:
        time.sleep(LOOK_S)
        return
    for window in client.live_windows(followed):
        seen.windows[window.kol_id, window.window] = window
        if seen.shown() != followed:
            return


def _again_and_again(work: Callable[[Client, Seen], None], client: Client, seen: Seen) -> None:
    while True:
        try:
            work(client, seen)
        except KolrayError as error:
            seen.problem = str(error)
            time.sleep(LOOK_S)


def view(seen: Seen, by: RankBy) -> Group:
    """The screen: the ranking with its live columns, then the alerts, then what went wrong."""
    problem = [Text(seen.problem, style="red")] if seen.problem else []
    return Group(_ranking(seen, by), _alerts(seen), *problem)


def _ranking(seen: Seen, by: RankBy) -> Table:
    answer = seen.ranking
    total = answer.total if answer else 0
    chosen = " · ".join(part for part in ((answer.platform, answer.category) if answer else ()) if part)
    table = Table(title=f"kolray top · {by}{' · ' + chosen if chosen else ''} · {total:,} KOLs", expand=True, box=None)
    table.add_column("#", justify="right", style="dim")
    table.add_column("KOL", ratio=2, no_wrap=True, style="bold")
    table.add_column("platform", no_wrap=True)
    for name in (COLUMNS[by], "likes", "comments", "shares", "engaged", "mood"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in answer.ranking if answer else []:
        value = f"{row.value:+.2%}" if by == "growth" else f"{row.value:,.1f}" if by == "trust" else f"{row.value:,.0f}"
        now = seen.windows.get((row.kol_id, OPEN)) or seen.windows.get((row.kol_id, "5m"))
        table.add_row(str(row.rank), row.kol_id, row.platform or "", value, *_now(now))
    table.caption = "likes to mood: the five minutes under way"
    return table


def _now(window: LiveWindow | None) -> list[str]:
    if window is None:
        return ["–"] * 5
    counts = (window.likes, window.comments, window.shares)
    ratios = (window.engagement_rate, window.sentiment_ratio)
    return [f"{count or 0:,}" for count in counts] + ["–" if ratio is None else f"{ratio:.1%}" for ratio in ratios]


def _alerts(seen: Seen) -> Panel:
    table = Table.grid(padding=(0, 2), expand=True)
    for share in (None, None, None, 1):
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=share)
    for alert in seen.alerts:
        known = {name: value for name, value in alert.evidence.items() if name in SHOWN and value is not None}
        evidence = ", ".join(f"{SHOWN[name]} {value}" for name, value in known.items())
        rule = Text(alert.rule.replace("_", " "), style=SEVERE.get(alert.severity, ""))
        table.add_row(f"{alert.at:%d %b %H:%M}", rule, alert.kol_id, Text(evidence, style="dim"))
    return Panel(table if seen.alerts else Text("no alerts yet", style="dim"), title="alerts", title_align="left")


def register(root: typer.Typer) -> None:
    """Adds it."""
    root.command()(top)

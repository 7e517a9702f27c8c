"""The stream's tiles: throughput and lag as they are now, with their last minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from kolray.serving.dashboard import formats
from kolray.serving.dashboard.charts import Caption, spark_bars
from kolray.serving.dashboard.report_data import StreamPage
from kolray.serving.dashboard.text import Translate

SPARK = 30
"""Bars: half a minute at a beat a second."""


@dataclass(frozen=True)
class Tile:
    """A figure; ``note`` stands small beside it.

    ``tone``: ``high`` as it should be, ``mixed`` worth a look, ``low`` wrong, or nothing.
    """

    label: str
    value: str
    note: str = ""
    bars: Markup | str = ""
    tone: str = ""


LATE_S, OLD_S = 300.0, 180.0
"""Event time further behind, and checkpoints older, are worth a look: three of the default period."""


def stream_tiles(t: Translate, page: StreamPage | None) -> list[Tile]:
    """None without a stream."""
    if page is None:
        return []
    now = page.now
    running = now.state == "running"
    state = Tile(
        t("stream_state"), t(f"stream_{now.state}"), tone={"running": "high", "gone": "low"}.get(now.state, "")
    )
    rate = Tile(t("stream_rate"), formats.compact(round(now.events_per_s)), bars=_bars(t, "stream_rate", page.per_s))
    lag = Tile(t("stream_lag"), formats.whole(now.lag), bars=_bars(t, "stream_lag", page.lag))
    if not running:
        return [state, Tile(t("stream_events"), formats.whole(now.events)), lag]
    behind = _age(t, "stream_behind", now.behind_s, LATE_S)
    return [state, rate, lag, behind, _age(t, "stream_checkpoint", now.checkpoint_age_s, OLD_S)]


def _age(t: Translate, key: str, seconds: float | None, limit_s: float) -> Tile:
    tone = "" if seconds is None or seconds <= limit_s else "mixed"
    return Tile(t(key), formats.age(t, seconds), tone=tone)


def _bars(t: Translate, key: str, values: Sequence[float]) -> Markup:
    shown = values[-SPARK:]
    if not any(shown):
        return Markup("")
    last, most = (formats.compact(round(value)) for value in (shown[-1], max(shown)))
    return spark_bars(shown, Caption(t(key), t("stream_spark", n=len(shown), last=last, most=most)))

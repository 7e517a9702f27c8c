"""Charts as inline SVG, drawn on the server: nothing to load in the browser, and readable by a screen reader.

Every function is pure and returns ``Markup``. Colours come from CSS classes, so that a chart follows light and dark.
All text passes through ``Markup.format``, which escapes it. No ``style`` attributes: the pages' policy forbids them.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from kolray.serving.dashboard.data import ForecastPoint
from kolray.serving.dashboard.speech import date, weekday

Point = tuple[datetime, float]
Format = Callable[[float], str]
TOP, BOTTOM, LEFT, RIGHT = 12, 28, 48, 12


@dataclass(frozen=True)
class Caption:
    """What a chart shows: a short name, and its message in a sentence for those who do not see it."""

    title: str
    desc: str


def nice_ticks(low: float, high: float, count: int = 4, *, whole: bool = False) -> list[float]:
    """About ``count`` steps of a round size that enclose ``low`` to ``high``; ``whole``: of integers only.

    >>> nice_ticks(0, 9), nice_ticks(0, 9, whole=True)
    ([0.0, 2.5, 5.0, 7.5, 10.0], [0.0, 5.0, 10.0])
    """
    if not high > low:
        pad = abs(low) * 0.1 or 1.0
        low, high = (low - pad, high + pad) if low < 0 else (max(0.0, low - pad), high + pad)
    rough = max((high - low) / count, 1.0 if whole else 0.0)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    sizes = [m * magnitude for m in (1, 2, 2.5, 5, 10)]
    step = next(size for size in sizes if size >= rough * 0.999 and (not whole or size.is_integer()))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def time_marks(times: Sequence[datetime], most: int) -> list[tuple[datetime, str]]:
    """Where the time axis has labels: midnights, or hours where the chart is shorter than three days."""
    ordered = sorted(set(times))
    days = [next(group) for _, group in itertools.groupby(ordered, key=lambda t: t.date())][1:]
    marks = [(t, date(t)) for t in days] if len(days) >= 3 else [(t, f"{t:%H:%M}") for t in ordered[1:]]
    return marks[:: max(1, math.ceil(len(marks) / most))]


def svg(caption: Caption, size: tuple[float, float], css: str, body: Markup) -> Markup:
    """The frame of every chart."""
    # aria-label and not aria-labelledby: a page has many charts, and their ids would clash.
    return Markup(
        '<svg role="img" class="chart {}" viewBox="0 0 {:g} {:g}" aria-label="{}"><title>{}</title>'
        "<desc>{}</desc>{}</svg>"
    ).format(
        css,
        *size,
        caption.title,
        caption.title,
        caption.desc,
        body,
    )


class _Frame:
    """Maps time and counts to the drawing area."""

    def __init__(self, size: tuple[int, int], times: Sequence[datetime], values: Sequence[float]) -> None:
        self.width, self.height = size
        self.ticks = nice_ticks(min(0.0, *values), max(values), whole=True)
        self._start = min(times).timestamp()
        self._span = (max(times).timestamp() - self._start) or 1.0

    def x(self, at: datetime) -> float:
        return LEFT + (at.timestamp() - self._start) / self._span * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def path(self, points: Sequence[Point]) -> str:
        return "M" + "L".join(f"{self.x(t):.1f},{self.y(v):.1f}" for t, v in points)


def _axes(frame: _Frame, times: Sequence[datetime], fmt: Format) -> Markup:
    grid = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>')
    label = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    parts = []
    for value in frame.ticks:
        y = frame.y(value)
        parts += [grid.format(LEFT, frame.width - RIGHT, y, y), label.format(LEFT - 8, y + 4, "end", fmt(value))]
    for at, text in time_marks(times, most=frame.width // 90):
        x = frame.x(at)
        # A label at the very edge would be cut off.
        anchor = "end" if x > frame.width - RIGHT - 20 else "middle"
        parts.append(label.format(x, frame.height - 8, anchor, text))
    return Markup("").join(parts)


def moment_of(at: datetime) -> str:
    """``Thu 12 Mar 09:30``."""
    return f"{weekday(at)} {date(at)} {at:%H:%M}"


def line_chart(
    history: Sequence[Point],
    forecast: Sequence[ForecastPoint],
    caption: Caption,
    fmt: Format,
    size: tuple[int, int] = (720, 260),
    css: str = "",
) -> Markup:
    """History as a line, the forecast dashed after it with its interval as a band; nothing without a point.

    ``data-points`` holds ``[x, y, time, value, lower, upper]`` a point for the script's tooltip.
    """
    points = [*history, *((p.at, p.value) for p in forecast)]
    if not points:
        return Markup("")
    times = [t for t, _ in points]
    frame = _Frame(size, times, [v for _, v in points] + [p.upper for p in forecast] + [p.lower for p in forecast])
    body = [_axes(frame, times, fmt)]
    if forecast:
        body.append(_forecast(frame, history, forecast))
    if history:
        body.append(Markup('<path class="line" d="{}"/>').format(frame.path(history)))
    hover = [[round(frame.x(t), 1), round(frame.y(v), 1), moment_of(t), fmt(v)] for t, v in history]
    for p in forecast:
        spread = f"{fmt(p.lower)} – {fmt(p.upper)}"
        at = moment_of(p.at)
        hover.append([round(frame.x(p.at), 1), round(frame.y(p.value), 1), at, fmt(p.value), spread])
    data = Markup('<g class="hover" data-points="{}" data-top="{}" data-bottom="{}"></g>')
    body.append(data.format(json.dumps(hover), TOP, frame.height - BOTTOM))
    return svg(caption, size, f"line-chart {css}", Markup("").join(body))


def _forecast(frame: _Frame, history: Sequence[Point], forecast: Sequence[ForecastPoint]) -> Markup:
    # The band begins at the last known value, so that no gap looks like missing data.
    start = [ForecastPoint(history[-1][0], *[history[-1][1]] * 3)] if history else []
    joined = [*start, *forecast]
    edge = [(p.at, p.upper) for p in joined] + [(p.at, p.lower) for p in reversed(joined)]
    now = frame.x(joined[0].at)
    return Markup(
        '<path class="band" d="{}Z"/><line class="now" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>'
        '<path class="line forecast" d="{}"/>'
    ).format(frame.path(edge), now, now, TOP, frame.height - BOTTOM, frame.path([(p.at, p.value) for p in joined]))


def spark_bars(values: Sequence[float | None], caption: Caption, size: tuple[int, int] = (120, 28)) -> Markup:
    """Small bars, oldest first; None leaves a gap; nothing without a value."""
    known = [v for v in values if v is not None]
    if not known:
        return Markup("")
    width, height = size
    top = max(known) or 1.0
    step = width / len(values)
    bars = [
        Markup('<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1"/>').format(
            i * step, height - h, max(step - 2, 1), h
        )
        for i, v in enumerate(values)
        if v is not None
        # A zero is still drawn as a hairline: it was measured.
        for h in (max(v / top * height, 1.0),)
    ]
    return svg(caption, size, "spark", Markup("").join(bars))


def interval_bar(
    value: float, lower: float | None, upper: float | None, caption: Caption, tone: str = "", width: int = 160
) -> Markup:
    """A score on a track from 0 to 100, its interval as a band."""

    def x(score: float) -> float:
        return 6 + min(max(score, 0.0), 100.0) / 100 * (width - 12)

    low, high = (value if bound is None else bound for bound in (lower, upper))
    body = Markup(
        '<rect class="track" x="6" y="8" width="{}" height="4" rx="2"/>'
        '<rect class="range" x="{:.1f}" y="6" width="{:.1f}" height="8" rx="4"/>'
        '<circle class="dot" cx="{:.1f}" cy="10" r="5"/>'
    ).format(width - 12, x(low), max(x(high) - x(low), 0.5), x(value))
    return svg(caption, (width, 20), f"interval {tone}", body)


def contribution_bar(effect: float, largest: float, caption: Caption) -> Markup:
    """One effect from the middle: to the right raises trust, to the left lowers it.

    ``effect`` is in log-odds of being untrustworthy, so a positive one points left.
    """
    length = 100 * min(abs(effect) / largest, 1.0) if largest > 0 else 0.0
    start, css = (100.0 - length, "lowers") if effect > 0 else (100.0, "raises")
    body = Markup(
        '<line class="grid" x1="100" x2="100" y1="0" y2="16"/>'
        '<rect class="{}" x="{:.1f}" y="3" width="{:.1f}" height="10" rx="2"/>'
    ).format(css, start, max(length, 0.8))
    return svg(caption, (200, 16), "contribution", body)

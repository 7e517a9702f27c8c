"""Charts over numbers instead of times: a histogram, an interval around zero, points, curves. As ``charts``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from kolray.serving.dashboard.charts import BOTTOM, LEFT, RIGHT, TOP, Caption, Format, nice_ticks, svg

Place = tuple[float, float]


class Bar(NamedTuple):
    """A bar: its height, its name (for who points at it), and the tone of its colour."""

    value: float
    name: str
    tone: str


def histogram(
    bars: Sequence[Bar], marks: Sequence[str], caption: Caption, fmt: Format, size: tuple[int, int], css: str = ""
) -> Markup:
    """Counts as bars side by side; ``marks`` stand under their edges, evenly from the first edge to the last."""
    width, height = size
    ticks = nice_ticks(0.0, max([bar.value for bar in bars] + [1.0]), whole=True)
    floor, inner = height - BOTTOM, width - LEFT - RIGHT
    step = inner / len(bars)
    parts = [_level(t, floor - t / ticks[-1] * (floor - TOP), width, fmt) for t in ticks]
    one = Markup(
        '<rect class="bin {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5"><title>{}</title></rect>'
    )
    for i, bar in enumerate(bars):
        tall = max(bar.value / ticks[-1] * (floor - TOP), 1.0 if bar.value else 0.0)
        parts.append(one.format(bar.tone, LEFT + i * step + 1, floor - tall, step - 2, tall, bar.name))
    label = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
    apart = inner / max(len(marks) - 1, 1)
    parts += [label.format(LEFT + i * apart, height - 8, mark) for i, mark in enumerate(marks)]
    return svg(caption, size, f"histogram {css}", Markup("").join(parts))


def zero_bar(value: float, lower: float, upper: float, most: float, caption: Caption, tone: str) -> Markup:
    """A value with its interval on a track from ``-most`` to ``most``, zero in the middle; what is beyond is cut."""

    def x(of: float) -> float:
        return 70 + min(max(of / most, -1.0), 1.0) * 64

    body = Markup(
        '<rect class="track" x="6" y="8" width="128" height="4" rx="2"/>'
        '<line class="zero" x1="70" x2="70" y1="2" y2="18"/>'
        '<rect class="range" x="{:.1f}" y="6" width="{:.1f}" height="8" rx="4"/>'
        '<circle class="dot" cx="{:.1f}" cy="10" r="4.5"/>'
    ).format(x(lower), max(x(upper) - x(lower), 0.5), x(value))
    return svg(caption, (140, 20), f"interval {tone}", body)


class _Scale:
    """Maps numbers to a span of pixels; of a logarithm where all are positive and far apart."""

    def __init__(self, values: Sequence[float], start: float, end: float, *, log: bool = False) -> None:
        self.log = log and min(values) > 0 and max(values) >= 10 * min(values)
        seen = [math.log10(v) for v in values] if self.log else list(values)
        low, high = min(seen), max(seen)
        pad = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
        self._low, self._span = low - pad, high - low + 2 * pad
        self._start, self._length = start, end - start
        self._whole = all(float(value).is_integer() for value in values)

    def at(self, value: float) -> float:
        seen = math.log10(value) if self.log else value
        return self._start + (seen - self._low) / self._span * self._length

    def marks(self, count: int) -> list[float]:
        """Round numbers within."""
        high = self._low + self._span
        if self.log:
            tens = range(math.floor(self._low), math.floor(high) + 1)
            steps = (1, 2, 5) if self._span < 2.5 else (1,)
            return [m * 10.0**k for k in tens for m in steps if self._low <= k + math.log10(m) <= high]
        return [tick for tick in nice_ticks(self._low, high, count, whole=self._whole) if self._low <= tick <= high]


def scatter(points: Sequence[Place], best: int, caption: Caption, fmt: Format, size: tuple[int, int]) -> Markup:
    """Points with the best one marked; the horizontal axis is logarithmic where the values ask for it."""
    width, height = size
    xs = _Scale([x for x, _ in points], LEFT, width - RIGHT, log=True)
    ys = _Scale([y for _, y in points], height - BOTTOM, TOP)
    parts = [_level(tick, ys.at(tick), width, fmt) for tick in ys.marks(4)]
    parts += _under(xs, height, fmt, 4)
    dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="{}"><title>{} → {}</title></circle>')
    order = [i for i in range(len(points)) if i != best] + [best]  # the best lies on top
    for i in order:
        x, y = points[i]
        css, r = ("point best", 5) if i == best else ("point", 3.5)
        parts.append(dot.format(css, xs.at(x), ys.at(y), r, fmt(x), fmt(y)))
    return svg(caption, size, "scatter", Markup("").join(parts))


def curves(
    series: Sequence[Sequence[Place]], best: int, caption: Caption, fmt: Format, size: tuple[int, int], css: str = ""
) -> Markup:
    """Lines over numbers; the best one in colour, on top of the others."""
    width, height = size
    every = [place for line in series for place in line]
    xs = _Scale([x for x, _ in every], LEFT, width - RIGHT)
    ys = _Scale([y for _, y in every], height - BOTTOM, TOP)
    parts = [_level(tick, ys.at(tick), width, fmt) for tick in ys.marks(4)] + _under(xs, height, fmt, 6)
    order = [i for i in range(len(series)) if i != best] + [best]
    for i in order:
        places = [(xs.at(x), ys.at(y)) for x, y in series[i]]
        name = "line" if i == best else "line other"
        path = "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(Markup('<path class="{}" d="{}"/>').format(name, path))
        if len(places) == 1 or i == best:
            parts.append(Markup('<circle class="point best" cx="{:.1f}" cy="{:.1f}" r="3.5"/>').format(*places[-1]))
    return svg(caption, size, f"curves {css}", Markup("").join(parts))


def _level(tick: float, y: float, width: int, fmt: Format) -> Markup:
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
        '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
    ).format(LEFT, width - RIGHT, y, y, LEFT - 8, y + 4, fmt(tick))


def _under(xs: _Scale, height: int, fmt: Format, count: int) -> list[Markup]:
    label = Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>')
    return [label.format(xs.at(tick), height - 8, fmt(tick)) for tick in xs.marks(count)]

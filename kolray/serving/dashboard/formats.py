"""Numbers, ages and times as people read them. Every function takes None and answers with a dash."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from functools import cache
from typing import Any

from markupsafe import Markup

from kolray.features import FEATURES
from kolray.serving.dashboard.data import AlertRow
from kolray.serving.dashboard.speech import date, figures, size
from kolray.serving.dashboard.text import EN, Translate

DASH = "–"
HIGH_TRUST, LOW_TRUST = 70.0, 40.0


def _missing(value: object) -> bool:
    return not isinstance(value, int | float) or not math.isfinite(value)


def whole(value: float | None) -> str:
    """``12,345``."""
    return DASH if value is None or _missing(value) else figures(f"{value:,.0f}")


def compact(value: float | None) -> str:
    """``12.3k`` for axes and tiles; small numbers keep three digits."""
    if value is None or _missing(value):
        return DASH
    for unit, thousands in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        # 999,950 would print as 1000.0k
        if abs(value) >= thousands * 0.99995 and (unit != "k" or abs(value) >= 1e4):
            return figures(f"{value / thousands:.1f}".removesuffix(".0")) + size(unit)
    return whole(value) if float(value).is_integer() or abs(value) >= 100 else figures(f"{value:.3g}")


def number(value: float | None) -> str:
    """Four significant digits, for losses and parameters of models."""
    return DASH if value is None or _missing(value) else figures(f"{value:.4g}")


def percent(value: float | None) -> str:
    """A share as ``5.2%``."""
    if value is None or _missing(value):
        return DASH
    digits = 0 if abs(value) >= 0.995 or value == 0 else 1
    text = f"{100 * value:.{digits}f}"
    if float(text) == 0:  # neither -0.0 nor 0.0
        text = "0"
    return f"{figures(text)}%"


def signed_percent(value: float) -> str:
    """``+23%``, whole from 10 % on.

    >>> signed_percent(0.234), signed_percent(-0.051), signed_percent(-0.0004)
    ('+23%', '−5.1%', '0%')
    """
    digits = 0 if abs(value) >= 0.0995 else 1
    text = f"{100 * value:+.{digits}f}"
    return figures(text if float(text) else "0") + "%"


def score(value: float | None) -> str:
    """Trust without decimals: the interval is wider than a point anyway."""
    return DASH if value is None or _missing(value) else f"{value:.0f}"


def soft(name: str) -> Markup:
    """An account's name that breaks after its dots, dashes and underscores, before it breaks anywhere."""
    parts = re.split(r"(?<=[._-])", name)
    return Markup("<wbr>").join(part for part in parts if part)


def signed(value: float) -> str:
    """``+0.42`` with a real minus sign."""
    return figures(f"{value:+.2f}")


def age(t: Translate, seconds: float | None) -> str:
    """``40 s``, ``5 min``, ``3 h``, ``2 d``; a clock that runs ahead gives 0 s."""
    if seconds is None or _missing(seconds):
        return DASH
    for unit, length, below in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 48 * 3600)):
        if seconds < below:
            return t(f"unit_{unit}", n=f"{max(seconds, 0) / length:.0f}")
    return t("unit_d", n=f"{seconds / 86400:.0f}")


def moment(at: datetime | None, zone: tzinfo) -> str:
    """``12 Mar 09:30``."""
    if at is None:
        return DASH
    local = at.astimezone(zone)
    return f"{date(local)} {local:%H:%M}"


def day(at: datetime | None, zone: tzinfo) -> str:
    """``12 Mar``."""
    if at is None:
        return DASH
    local = at.astimezone(zone)
    return date(local)


@cache
def _units() -> Mapping[str, str]:
    return {feature.name: feature.unit for feature in FEATURES}


def feature_value(t: Translate, name: str, value: float | None) -> str:
    """A feature in its own unit; shares as percentages."""
    if value is None or _missing(value):
        return DASH
    unit = _units().get(name, "")
    if unit.startswith("share"):
        per = unit.removeprefix("share/")
        return percent(value) + ("" if per == unit else t(f"unit_per_{per}"))
    if unit == "days":
        return t("unit_days", n=whole(value))
    if unit == "s":
        return age(t, value)
    return compact(value)


def verdict(value: float | None) -> str:
    """``high``, ``mixed`` or ``low``, the key of words and colours; ``none`` without a score."""
    if value is None or _missing(value):
        return "none"
    # Of the score as shown: a 40 must not be called doubtful because it was 39.6.
    shown = float(score(value))
    return "high" if shown >= HIGH_TRUST else "mixed" if shown >= LOW_TRUST else "low"


def evidence(t: Translate, alert: AlertRow) -> str:
    """An alert's evidence as a sentence; what the dictionary does not know as ``name: value``."""
    known = alert.evidence
    show = whole if alert.rule == "follower_spike" else percent
    values = {k: show(v) for k, v in known.items() if k in {"value", "own_mean", "fell_from"} and not _missing(v)}
    key = f"evidence_{alert.rule}"
    try:
        sentence = t(key, **values) if key in EN else _plain(known)
    except KeyError:
        sentence = _plain(known)
    sigmas = known.get("sigmas")
    if key in EN and isinstance(sigmas, int | float) and not _missing(sigmas):
        sentence += " " + t("evidence_sigmas", sigmas=whole(sigmas))
    return sentence


def _plain(known: Mapping[str, Any]) -> str:
    shown = (
        f"{k.replace('_', ' ')}: {v:g}" if isinstance(v, float) else f"{k.replace('_', ' ')}: {v}"
        for k, v in known.items()
        if v is not None
    )
    return ", ".join(shown)

"""The page of an on-call engineer: what is wrong first, with what to do, then every part."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kolray.serving.dashboard import formats
from kolray.serving.dashboard.report_data import HealthPage, PartHealth
from kolray.serving.dashboard.stream_views import LATE_S, OLD_S, stream_tiles
from kolray.serving.dashboard.text import Translate

OLD_FEATURES = timedelta(hours=36)
"""Features that the nightly run would have made anew by then."""
TONES = {"ok": "high", "slow": "mixed", "away": "low"}


class Trouble(NamedTuple):
    """What is wrong, and what to do. ``tone``: ``low`` hurts users now, ``mixed`` will."""

    tone: str
    what: str
    advice: str


class PartRow(NamedTuple):
    """A service as a row."""

    name: str
    tone: str
    state: str
    latency: str
    breaker: str
    address: str


def health_view(t: Translate, page: HealthPage, now: datetime) -> dict[str, Any]:
    """What the template shows."""
    return {
        "health": page,
        "troubles": troubles(t, page, now),
        "parts_rows": [_row(t, part) for part in page.parts],
        "tiles": stream_tiles(t, page.stream),
        "stream_away": any(part.name == "redis" and part.state == "away" for part in page.parts),
        "late_s": LATE_S,
        "old_s": OLD_S,
    }


def troubles(t: Translate, page: HealthPage, now: datetime) -> list[Trouble]:
    """The worst first."""
    found = [
        Trouble(TONES[part.state], t(f"health_{part.state}", part=t(f"part_{part.name}")), _advice(t, part))
        for part in page.parts
        if part.state != "ok"
    ]
    found += _of_stream(t, page) + _of_models(t, page) + _of_lake(t, page, now)
    return sorted(found, key=lambda trouble: trouble.tone != "low")


def _advice(t: Translate, part: PartHealth) -> str:
    return t("advice_slow") if part.state == "slow" else t(f"advice_{part.name}")


def _of_stream(t: Translate, page: HealthPage) -> list[Trouble]:
    if page.stream is None:
        return []
    now = page.stream.now
    if now.state == "gone":
        return [Trouble("low", t("health_gone"), t("advice_gone"))]
    if now.state != "running":
        return []
    found = []
    if now.checkpoint_age_s is not None and now.checkpoint_age_s > OLD_S:
        age = formats.age(t, now.checkpoint_age_s)
        found.append(Trouble("low", t("health_checkpoint", age=age), t("advice_checkpoint")))
    if now.behind_s is not None and now.behind_s > LATE_S and now.lag:
        lag, age = formats.whole(now.lag), formats.age(t, now.behind_s)
        found.append(Trouble("mixed", t("health_behind", lag=lag, age=age), t("advice_behind")))
    return found


def _of_models(t: Translate, page: HealthPage) -> list[Trouble]:
    found = []
    for model in page.models:
        wanted = f"{model.name}:{model.champion}"
        if model.champion is None:
            found.append(Trouble("mixed", t("health_no_champion", model=model.name), t("advice_no_champion")))
        elif model.in_use not in (None, wanted):
            words = t("health_other_model", model=wanted, used=model.in_use)
            found.append(Trouble("mixed", words, t("advice_other_model")))
    return found


def _of_lake(t: Translate, page: HealthPage, now: datetime) -> list[Trouble]:
    found = []
    if page.features_at is not None and now - page.features_at > OLD_FEATURES:
        age = formats.age(t, (now - page.features_at).total_seconds())
        found.append(Trouble("mixed", t("health_features", age=age), t("advice_features")))
    found += [Trouble("mixed", t("health_step", step=step), t("advice_step")) for step, _, _ in page.failed_steps]
    return found


def _row(t: Translate, part: PartHealth) -> PartRow:
    latency = formats.DASH if part.latency_ms is None else t("unit_ms", n=formats.compact(round(part.latency_ms, 1)))
    breaker = formats.DASH if part.breaker is None else t(f"breaker_{part.breaker}")
    return PartRow(t(f"part_{part.name}"), TONES[part.state], t(f"state_{part.state}"), latency, breaker, part.address)

"""Searches for better parameters: trials live, the best so far, and each parameter against the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from kolray.models.searches import Search, Trial
from kolray.serving.dashboard.charts import Caption
from kolray.serving.dashboard.charts_of_numbers import curves, scatter
from kolray.serving.dashboard.formats import DASH, number, percent, whole
from kolray.serving.dashboard.report_data import SearchPage
from kolray.serving.dashboard.stream_views import Tile
from kolray.serving.dashboard.text import Translate, name_of

SILENT = timedelta(minutes=10)
"""A search that told nothing for so long was stopped, or hangs."""


@dataclass(frozen=True)
class Panel:
    """One parameter against the loss."""

    name: str
    chart: Markup
    best: str


def state_of(search: Search, now: datetime) -> str:
    """``running``, ``silent``, ``kept`` (in use from then on) or ``refused`` (the defaults stayed)."""
    if search.kept is not None:
        return "kept" if search.kept else "refused"
    return "running" if now - (search.reported or search.started) <= SILENT else "silent"


def search_view(t: Translate, page: SearchPage, now: datetime) -> dict[str, Any]:
    """What the template of one search shows."""
    trials = page.trials
    view: dict[str, Any] = {
        "search": page.row,
        "state": state_of(page.row, now),
        "tiles": _tiles(t, page),
        "judged": _judged(t, page),
        "progress": [], "learning": [], "panels": [], "ranked": [], "names": [],
    }  # fmt: skip
    if not trials:
        return view
    best = min(range(len(trials)), key=lambda i: trials[i].best)
    names = list(trials[best].params)
    order = sorted(range(len(trials)), key=lambda i: trials[i].best)
    return view | {
        "progress": _progress(t, trials),
        "learning": _learning(t, trials, best),
        "panels": [_panel(t, trials, best, name) for name in names],
        "names": names,
        "ranked": [(place, i + 1, trials[i]) for place, i in enumerate(order, 1)],
    }


def _tiles(t: Translate, page: SearchPage) -> list[Tile]:
    row = page.row
    defaults = page.figures.get("inner_loss_defaults")
    gain = None if defaults in (None, 0.0) or row.loss is None else (defaults - row.loss) / defaults
    tiles = [
        Tile(t("tuning_trials"), t("tuning_of", n=whole(row.trials), wanted=whole(row.wanted))),
        Tile(t("tuning_best"), number(row.loss)),
        Tile(t("tuning_defaults"), number(defaults)),
    ]
    if gain is not None:
        tiles.append(Tile(t("tuning_gain"), percent(gain), tone="high" if gain > 0 else ""))
    return tiles


def _judged(t: Translate, page: SearchPage) -> list[tuple[str, str, str]]:
    """(figure, with the defaults, tuned) on what the search never saw."""
    names = sorted({name.rpartition("_")[0] for name in page.figures if name.startswith("test_")})
    return [
        (
            name_of(t, "figure", name.removeprefix("test_")),
            number(page.figures.get(f"{name}_defaults")),
            number(page.figures.get(f"{name}_tuned")),
        )
        for name in names
    ]


def _progress(t: Translate, trials: Sequence[Trial]) -> list[Markup]:
    """The best loss so far, trial by trial."""
    so_far: list[tuple[float, float]] = []
    for i, trial in enumerate(trials, 1):
        so_far.append((i, min(trial.best, so_far[-1][1] if so_far else trial.best)))
    caption = Caption(t("tuning_progress"), t("tuning_progress_desc", n=len(trials), loss=number(so_far[-1][1])))
    each = [[(float(i), trial.best)] for i, trial in enumerate(trials, 1)]
    return _both([*each, so_far], len(each), caption)


def _learning(t: Translate, trials: Sequence[Trial], best: int) -> list[Markup]:
    caption = Caption(t("tuning_learning"), t("tuning_learning_desc", n=len(trials), loss=number(trials[best].best)))
    return _both([[(float(r), loss) for r, loss in trial.losses] for trial in trials], best, caption)


def _both(series: Sequence[Sequence[tuple[float, float]]], best: int, caption: Caption) -> list[Markup]:
    return [
        curves(series, best, caption, number, (520, 260), "wide"),
        curves(series, best, caption, number, (360, 220), "narrow"),
    ]


def _panel(t: Translate, trials: Sequence[Trial], best: int, name: str) -> Panel:
    known = [(i, trial) for i, trial in enumerate(trials) if name in trial.params]
    points = [(trial.params[name], trial.best) for _, trial in known]
    value = number(trials[best].params[name])
    label = name.replace("_", " ")
    caption = Caption(t("tuning_against", name=label), t("tuning_against_desc", name=label, value=value))
    chart = scatter(points, [i for i, _ in known].index(best), caption, number, (330, 190))
    return Panel(label, chart, value)


def searches_view(searches: Sequence[Search], now: datetime) -> list[tuple[Search, str, str]]:
    """Rows of the list: a search, its state, its best loss."""
    return [(each, state_of(each, now), number(each.loss) if each.trials else DASH) for each in searches]

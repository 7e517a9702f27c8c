"""What a pattern is: frozen data, the same in Python and in TOML.

A pattern is a list of steps over the closed windows of one kind. A step *matches* at a window; the pattern fires when
its steps have matched one after another. ``reading.py`` makes patterns from TOML and says what is wrong with one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property

import polars as pl

from kolray.errors import SettingsError
from kolray.events import Columns
from kolray.features.window_metrics import METRICS, RATIOS
from kolray.stream.windows import WindowSpec

RETENTION_MS = 14 * 86_400_000
"""A KOL without a window for so long is forgotten."""

OWN = ("own_n", "own_mean", "own_sd", "own_sigmas")
"""What ``when`` may use of a value's own history: earlier windows counted, their mean and standard deviation, and how
many of them the value is above the mean."""

WINDOW_COLUMNS: Columns = {
    "kol_id": pl.String,
    **dict.fromkeys(METRICS, pl.Int64),
    **dict.fromkeys(RATIOS, pl.Float64),
    "followers_before": pl.Int64,
}
"""Columns every expression may use. ``followers_before``: followers at the end of the KOL's window before."""

VALUE_COLUMNS: Columns = {"value": pl.Float64, "previous": pl.Float64, **dict.fromkeys(OWN, pl.Float64)}
"""Columns ``when`` may use beside them, in a step with a ``value``."""


@dataclass(frozen=True)
class Step:
    """Matches at a window where all of its conditions hold; expressions are polars SQL.

    Args:
        value: number the step looks at; a window without one is passed over.
        only: windows to look at; others are passed over.
        when: condition; may use ``value``, ``previous`` (the value before) and the columns ``OWN``.
        min_value: smallest value that matches, in its unit.
        sigmas: the value is more than so many standard deviations above the KOL's own mean.
        min_history: earlier windows needed before ``sigmas`` may hold.
        min_sd: standard deviation assumed at least, so that a flat history does not match on noise.
        falls, rises: the value is below (above) the one before; by at least so much over the whole run.
        times: windows in a row; with 2 or more the step matches once a run, at its ``times``-th window.
        within: a duration (``90m``, ``3h``, ``2d``) or a number of windows, after the match of the step before it.
        absent: TOML's ``not = true``: must not match between its neighbours. As the first step: within that time before
            the next one's match; as the last: within that time after the one before it, and the alert comes then.
    """

    value: str | None = None
    only: str | None = None
    when: str | None = None
    min_value: float | None = None
    sigmas: float | None = None
    min_history: int = 12
    min_sd: float = 0.0
    falls: float | None = None
    rises: float | None = None
    times: int = 1
    within: str | int | None = None
    absent: bool = False

    @property
    def trend(self) -> float | None:
        """How far the value must move over a run, if it must."""
        return self.falls if self.falls is not None else self.rises

    @property
    def counts_runs(self) -> bool:
        """The state knows how many windows in a row have matched."""
        return self.times > 1 or self.trend is not None

    @cached_property
    def _names(self) -> set[str]:
        return set(pl.sql_expr(self.when).meta.root_names()) if self.when else set()

    @property
    def keeps_history(self) -> bool:
        """The state holds the value's mean and deviation."""
        return self.sigmas is not None or not self._names.isdisjoint(OWN)

    @property
    def keeps_previous(self) -> bool:
        """The state holds the last value."""
        return self.trend is not None or "previous" in self._names


@dataclass(frozen=True)
class Pattern:
    """A named list of steps over one window kind; an alert of it has its ``severity``."""

    name: str
    steps: tuple[Step, ...]
    window: str = "1h"
    severity: str = "warning"

    @cached_property
    def key(self) -> str:
        """Name and fingerprint of what its state depends on: a changed definition has another key."""
        definition = json.dumps([self.window, [asdict(step) for step in self.steps]], sort_keys=True)
        return f"{self.name}@{hashlib.sha256(definition.encode()).hexdigest()[:12]}"

    @cached_property
    def spec(self) -> WindowSpec:
        """Its window kind, parsed."""
        return WindowSpec.parse(self.window)

    @cached_property
    def present(self) -> tuple[int, ...]:
        """Places of the steps that must match."""
        return tuple(place for place, step in enumerate(self.steps) if not step.absent)

    @property
    def awaits_absence(self) -> bool:
        """The last step must not match: the alert comes when its time is over."""
        return self.steps[-1].absent

    def within_ms(self, place: int) -> int | None:
        """The ``within`` of a step in ms.

        Raises:
            SettingsError: no duration, or not a whole number of the window's slides.
        """
        within = self.steps[place].within
        if within is None:
            return None
        if isinstance(within, int):
            return within * self.spec.slide_ms
        try:
            days = within.endswith("d")
            ms = WindowSpec.parse(within.replace("d", "h") if days else within).size_ms * (24 if days else 1)
        except SettingsError:
            raise SettingsError(
                f"within = {within!r} is no duration; write 90m, 3h, 2d or a number of windows"
            ) from None
        if ms % self.spec.slide_ms:
            raise SettingsError(
                f"within = {within!r} is not a whole number of {self.window} windows; choose a multiple of "
                f"{self.spec.slide_ms // 60_000} min"
            )
        return ms

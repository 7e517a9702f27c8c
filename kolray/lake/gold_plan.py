"""What gold has to make again: the days that silver changed since each of its tables was last written, or a range."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from kolray.errors import InvalidInputError
from kolray.events import KINDS, Kind
from kolray.lake.changes import changed_days
from kolray.lake.overlap import Advance, Sources, next_turn
from kolray.lake.tables import LakeTables

DAILY: dict[str, tuple[Kind, ...]] = {
    "gold.kpi_hourly": KINDS,
    "gold.kpi_daily": KINDS,
    "gold.platform_daily": KINDS,
    "gold.campaign_daily": ("web",),
}
"""Tables made of a day of silver → the kinds of events in them."""
WEEKLY = "gold.kpi_weekly"
"""Made of ``gold.kpi_daily``, after it."""


@dataclass(frozen=True)
class Refresh:
    """Days of one table to write again (Mondays for weeks), and the silver versions that this reaches.

    Every plan also takes the table's next turn: made of what silver held before, it cannot undo a later one.
    """

    days: tuple[date, ...]
    sources: Sources


def plan_changed(tables: LakeTables) -> dict[str, Refresh]:
    """Table → what silver changed since its last commit; tables that are up to date are left out.

    Each table carries its own transaction ids, so a run that was killed between two tables goes on where it stopped.
    A day that silver no longer has was dropped by retention: its gold stays.
    """
    plan = {}
    had = {day for kind in KINDS for day in _days(tables, f"silver.{kind}")}
    for name, kinds in {**DAILY, WEEKLY: KINDS}.items():
        days: set[date] = set()
        sources, turn = {}, _turn(tables, name)
        for kind in kinds:
            if not tables.exists(f"silver.{kind}"):
                continue
            silver, source = tables.table(f"silver.{kind}"), tables.source(name, f"silver.{kind}")
            done = tables.transaction(name, source)
            if done != silver.version():
                days |= changed_days(silver, done, tables.options)
                sources[source] = Advance(done, silver.version())
        if sources:
            plan[name] = Refresh(_of(name, days & had), sources | turn)
    return plan


def plan_range(tables: LakeTables, first: date, last: date) -> dict[str, Refresh]:
    """Table → its days from ``first`` to ``last`` (included) that silver has; no source moves on.

    Raises:
        InvalidInputError: ``last`` is before ``first``.
    """
    if last < first:
        raise InvalidInputError(f"no day is from {first} to {last}: give the earlier day as --from")
    plan = {}
    for name, kinds in {**DAILY, WEEKLY: KINDS}.items():
        turn = _turn(tables, name)
        days = {day for kind in kinds for day in _days(tables, f"silver.{kind}") if first <= day <= last}
        if days:
            plan[name] = Refresh(_of(name, days), turn)
    return plan


def by_day(plan: dict[str, Refresh]) -> dict[date, list[str]]:
    """Day → the tables that need it, so that silver is read once a day for all of them."""
    out: dict[date, list[str]] = {}
    for name in DAILY:
        for day in plan[name].days if name in plan else ():
            out.setdefault(day, []).append(name)
    return dict(sorted(out.items()))


def week_days(monday: date) -> list[date]:
    """The seven days of an ISO week."""
    return [monday + timedelta(days=n) for n in range(7)]


def _turn(tables: LakeTables, name: str) -> dict[str, Advance]:
    """Counts the replacements of a table; read it before what it is made of."""
    source = f"{name}/replaced"
    return {source: next_turn(tables.transaction(name, source))}


def _days(tables: LakeTables, name: str) -> set[date]:
    """All days of a table."""
    return changed_days(tables.table(name), None, tables.options) if tables.exists(name) else set()


def _of(name: str, days: Iterable[date]) -> tuple[date, ...]:
    """Days as the table has them."""
    return tuple(sorted({day - timedelta(days=day.weekday()) if name == WEEKLY else day for day in days}))

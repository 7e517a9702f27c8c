"""What gold has to make again: the days that silver changed since each of its tables was last written, or a range."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from deltalake import DeltaTable

from kolray.errors import InvalidInputError
from kolray.events import KINDS, Kind
from kolray.lake.changes import changed_days
from kolray.lake.overlap import Advance, Sources, next_turn
from kolray.lake.tables import LakeTables, source_of, transaction_of

DAILY: dict[str, tuple[Kind, ...]] = {
    "gold.kpi_hourly": KINDS,
    "gold.kpi_daily": KINDS,
    "gold.platform_daily": KINDS,
    "gold.campaign_hourly": ("web",),
    "gold.campaign_daily": ("web",),
}
"""Tables made of a day of silver → the kinds of events in them."""
WEEKLY = "gold.kpi_weekly"
"""Made of ``gold.kpi_daily``, after it."""
MADE_OF = {**DAILY, WEEKLY: KINDS}


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
    gold, silver = _gold_then_silver(tables)
    had = {day for table in silver.values() for day in changed_days(table, None, tables.options)}
    for name, kinds in MADE_OF.items():
        days: set[date] = set()
        sources = {}
        for kind in (kind for kind in kinds if kind in silver):
            source = source_of(name, f"silver.{kind}", silver[kind])
            done, version = transaction_of(gold[name], source), silver[kind].version()
            if done != version:
                days |= changed_days(silver[kind], done, tables.options)
                sources[source] = Advance(done, version)
        if sources:
            plan[name] = Refresh(_of(name, days & had), sources | _turn(name, gold[name]))
    return plan


def plan_range(tables: LakeTables, first: date, last: date) -> dict[str, Refresh]:
    """Table → its days from ``first`` to ``last`` (included) that silver has; no source moves on.

    Raises:
        InvalidInputError: ``last`` is before ``first``.
    """
    if last < first:
        raise InvalidInputError(f"no day is from {first} to {last}: give the earlier day as --from")
    plan = {}
    gold, silver = _gold_then_silver(tables)
    had = {kind: changed_days(table, None, tables.options) for kind, table in silver.items()}
    for name, kinds in MADE_OF.items():
        days = {day for kind in kinds for day in had.get(kind, ()) if first <= day <= last}
        if days:
            plan[name] = Refresh(_of(name, days), _turn(name, gold[name]))
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


def _gold_then_silver(tables: LakeTables) -> tuple[dict[str, DeltaTable | None], dict[Kind, DeltaTable]]:
    """Each table opened once (None: not there yet), what is made before what it is made of: a turn that is older than
    the rows is refused, one that is newer would undo what others made of newer rows.
    """
    gold = {name: tables.find(name) for name in MADE_OF}
    silver = {kind: tables.find(f"silver.{kind}") for kind in KINDS}
    return gold, {kind: table for kind, table in silver.items() if table is not None}


def _turn(name: str, table: DeltaTable | None) -> dict[str, Advance]:
    """Counts the replacements of a table."""
    source = f"{name}/replaced"
    return {source: next_turn(transaction_of(table, source))}


def _of(name: str, days: Iterable[date]) -> tuple[date, ...]:
    """Days as the table has them."""
    return tuple(sorted({day - timedelta(days=day.weekday()) if name == WEEKLY else day for day in days}))

"""Steps one after another: what the KOL has reached, and where the pattern fires.

For each number of steps the state keeps the latest way of having matched them. Later is never worse: ``within`` and
``not`` look forward from the last match, so one path a step is enough, and the state stays bounded.
"""

from __future__ import annotations

import polars as pl

from kolray.stream.patterns.columns import PATH, at
from kolray.stream.patterns.declare import Pattern

START = "_start_ms"
"""Column of the window's start in ms since the epoch."""


def follow(rows: pl.DataFrame, pattern: Pattern) -> pl.DataFrame:
    """Rows after ``match_step`` of every step → also ``fires, fired_at, fired_value``, and the paths after the window.

    A pattern that awaits an absence does not fire here but in ``overdue``.
    """
    reaches = {place: _reach(pattern, place, before) for before, place in _links(pattern)}
    rows = rows.with_columns(
        *(reach.alias(at(pattern, place, "reach")) for place, reach in reaches.items()),
        *(e.alias(at(pattern, p, f"new_{name}")) for b, p in _links(pattern) for name, e in _longer(pattern, p, b)),
    )
    last = pattern.present[-1]
    done = pl.col(at(pattern, last, "reach"))
    fired = [pl.col(at(pattern, last, f"new_{name}")).alias(f"fired_{name}") for name in PATH]
    after = [*_paths_after(pattern, done), *_held_after(pattern)]
    if pattern.awaits_absence:
        return rows.with_columns(*after, *_pending_after(pattern, done), *fired, fires=pl.lit(value=False))
    return rows.with_columns(*after, *fired, fires=done)


def overdue(table: pl.DataFrame, pattern: Pattern, start_ms: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """KOLs whose awaited absence is complete once a window starts at ``start_ms``, and the state without their paths.

    The first frame has ``kol_id, _start_ms`` (the last window of the time that passed), ``fired_at``, ``fired_value``.
    """
    paths = [at(pattern, pattern.present[-1], f"path_{name}") for name in PATH]
    until = pl.col(paths[0]).list.last() + pattern.within_ms(len(pattern.steps) - 1)
    over = (until < start_ms).fill_null(value=False)
    found = table.filter(over)
    if not found.height:
        return found.select("kol_id").clear(), table
    fired = found.select(
        "kol_id", until.alias(START), *(pl.col(p).alias(f"fired_{n}") for p, n in zip(paths, PATH, strict=True))
    )
    return fired, table.with_columns(pl.when(~over).then(p).alias(p) for p in paths)


def _links(pattern: Pattern) -> list[tuple[int | None, int]]:
    """Each step that must match with the one before it."""
    return list(zip((None, *pattern.present), pattern.present, strict=False))


def _source(pattern: Pattern, place: int, before: int, name: str) -> str:
    """The path a step would lengthen: with ``times`` the one there was when its run began."""
    if pattern.steps[place].times > 1:
        return at(pattern, place, f"before_{name}")
    return at(pattern, before, f"path_{name}")


def _reach(pattern: Pattern, place: int, before: int | None) -> pl.Expr:
    """The step matches here, in its time after the step before it, with no ``not`` step in between."""
    reach = pl.col(at(pattern, place, "match"))
    now = pl.col(START)
    if before is None:
        for absent in range(place):
            held = pl.col(at(pattern, absent, "held"))
            reach &= (now - held > pattern.within_ms(absent)).fill_null(value=True)
        return reach
    since = pl.col(_source(pattern, place, before, "at")).list.last()
    reach &= since.is_not_null()
    within = pattern.within_ms(place)
    if within is not None:
        reach &= now - since <= within
    for absent in range(before + 1, place):
        reach &= (pl.col(at(pattern, absent, "held")) <= since).fill_null(value=True)
    return reach.fill_null(value=False)


def _longer(pattern: Pattern, place: int, before: int | None) -> list[tuple[str, pl.Expr]]:
    """The path with this window's match appended."""
    here = {"at": pl.col(START), "value": pl.col(at(pattern, place, "e_value"))}
    if before is None:
        return [(name, pl.concat_list(here[name])) for name in PATH]
    return [(name, pl.concat_list(_source(pattern, place, before, name), here[name])) for name in PATH]


def _paths_after(pattern: Pattern, done: pl.Expr) -> list[pl.Expr]:
    """Paths that grew are replaced; a pattern that is complete starts anew with the next window."""
    out = []
    for before, place in _links(pattern):
        for name in PATH:
            own = at(pattern, place, f"path_{name}")
            if place != pattern.present[-1]:
                grown = pl.when(at(pattern, place, "reach")).then(at(pattern, place, f"new_{name}")).otherwise(own)
                out.append(pl.when(~done).then(grown).alias(own))
            if before is not None and pattern.steps[place].times > 1:
                kept = at(pattern, place, f"before_{name}")
                begun = pl.when(at(pattern, place, "starts")).then(at(pattern, before, f"path_{name}")).otherwise(kept)
                out.append(pl.when(~done).then(begun).alias(kept))
    return out


def _held_after(pattern: Pattern) -> list[pl.Expr]:
    absent = [place for place, step in enumerate(pattern.steps) if step.absent]
    held = {place: at(pattern, place, "held") for place in absent}
    return [pl.when(at(pattern, p, "match")).then(START).otherwise(name).alias(name) for p, name in held.items()]


def _pending_after(pattern: Pattern, done: pl.Expr) -> list[pl.Expr]:
    """One wait at a time: it ends when the ``not`` step matches or its time is over."""
    last = pattern.present[-1]
    broken = pl.col(at(pattern, len(pattern.steps) - 1, "match"))
    waits = pl.col(at(pattern, last, "path_at")).is_not_null() & ~broken
    return [
        pl.when(waits).then(own).when(done).then(at(pattern, last, f"new_{name}")).alias(own)
        for name, own in ((name, at(pattern, last, f"path_{name}")) for name in PATH)
    ]

"""What makes a pattern impossible: checked before it runs, on rows that exist only for that."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl
from polars.exceptions import ColumnNotFoundError, PolarsError

from kolray.errors import SettingsError
from kolray.events import Columns
from kolray.stream.patterns.declare import RETENTION_MS, VALUE_COLUMNS, WINDOW_COLUMNS, Pattern, Step


def check_pattern(pattern: Pattern, where: str, windows: Collection[str] | None = None) -> None:
    """Refuses a pattern that could not run as it is meant; ``where`` begins every message.

    Args:
        windows: window kinds the stream computes; none: any.

    Raises:
        SettingsError: says what is wrong and what to write instead.
    """
    try:
        _ = pattern.spec
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    if windows is not None and pattern.window not in windows:
        raise SettingsError(
            f"{where}: window {pattern.window!r} is not computed; choose one of {', '.join(windows)} or add it to "
            "stream.windows"
        )
    for place, step in enumerate(pattern.steps):
        here = f"{where}, step {place + 1}"
        _check_expressions(step, here)
        _check_numbers(step, here)
        _check_place(pattern, place, here)


def _check_expressions(step: Step, where: str) -> None:
    if step.value is None and step.when is None:
        raise SettingsError(f'{where}: it has neither value nor when; say what must be seen, e.g. when = "likes > 100"')
    _check_sql(step.value, "value", WINDOW_COLUMNS, where)
    _check_sql(step.only, "only", WINDOW_COLUMNS, where)
    known = WINDOW_COLUMNS | VALUE_COLUMNS if step.value else WINDOW_COLUMNS
    _check_sql(step.when, "when", known, where)


def _check_sql(text: str | None, key: str, columns: Columns, where: str) -> None:
    if text is None:
        return
    try:
        expr = pl.sql_expr(text)
        found = pl.DataFrame(schema=columns).select(found=expr)["found"].dtype
    except ColumnNotFoundError as error:
        name = str(error).split('"')[1] if '"' in str(error) else "?"
        only = "; with a `value` also " + ", ".join(VALUE_COLUMNS) if key == "when" and "value" not in columns else ""
        raise SettingsError(
            f"{where}: {key} = {text!r} uses the unknown column {name!r}; known are {', '.join(columns)}{only}"
        ) from None
    except PolarsError as error:
        raise SettingsError(f"{where}: {key} = {text!r} is no SQL expression ({str(error).splitlines()[0]})") from None
    if not _sees_one_row(expr, columns):
        raise SettingsError(f"{where}: {key} = {text!r} looks at several rows; an expression sees one window")
    if key == "value" and not found.is_numeric():
        raise SettingsError(f"{where}: value = {text!r} is {found}, not a number")
    if key != "value" and found != pl.Boolean:
        raise SettingsError(f"{where}: {key} = {text!r} is {found}, not a condition; compare it, e.g. likes > 100")


def _sees_one_row(expr: pl.Expr, columns: Columns) -> bool:
    """The same over rows together as over each alone: no sum, mean, rank or order."""
    numbers = [[(7 * row + 3 * place) % 11 + place + 1 for row in range(5)] for place in range(len(columns))]
    rows = pl.DataFrame(dict(zip(columns, numbers, strict=True))).cast(pl.Schema(columns))
    alone = pl.concat(one.select(found=expr) for one in rows.iter_slices(1))
    return rows.select(found=expr).equals(alone)


def _check_numbers(step: Step, where: str) -> None:
    needs = {"sigmas": step.sigmas, "min_value": step.min_value, "falls": step.falls, "rises": step.rises}
    for key, given in needs.items():
        if given is not None and step.value is None:
            raise SettingsError(f'{where}: {key} needs a value to look at; add value = "…"')
    if step.falls is not None and step.rises is not None:
        raise SettingsError(f"{where}: falls and rises exclude each other; keep one")
    least = {"sigmas": 0, "min_sd": 0, "falls": 0, "rises": 0, "times": 1, "min_history": 0}
    for key, bound in least.items():
        number = getattr(step, key)
        if number is not None and not number >= bound:
            raise SettingsError(f"{where}: {key} = {number!r} must be at least {bound}")


def _check_place(pattern: Pattern, place: int, where: str) -> None:
    """``not`` and ``within`` where they mean something."""
    step, last = pattern.steps[place], len(pattern.steps) - 1
    if not pattern.present:
        raise SettingsError(f"{where}: every step is `not`; name what must be seen")
    first = place < pattern.present[0]
    ending = place > pattern.present[-1]
    if step.absent and ending and place != last:
        raise SettingsError(f"{where}: only one `not` step may end a pattern; join their conditions with OR")
    if step.absent and (first or ending) and step.within is None:
        raise SettingsError(f'{where}: a `not` step at the beginning or end needs a time; add within = "3h"')
    if step.within is not None and step.absent and not (first or ending):
        raise SettingsError(f"{where}: a `not` step between two others lasts until the next matches; move within there")
    if step.within is not None and place == pattern.present[0]:
        raise SettingsError(f"{where}: within counts from the step before it, and there is none; remove it")
    try:
        within = pattern.within_ms(place)
    except SettingsError as error:
        raise SettingsError(f"{where}: {error}") from None
    if within is not None and not 0 < within < RETENTION_MS:
        raise SettingsError(f"{where}: within = {step.within!r} must be more than 0 and less than 14 days")

"""Text as the types of event fields; a form of writing is looked for only where those before it left something over."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import reduce

import polars as pl

from kolray.events import SCHEMAS, TIME, Kind

Form = Callable[[pl.Expr], pl.Expr]
LAST_MS = 253_402_300_799_999
"""The end of the year 9999: no calendar writes later times, and one that is asked to may end the process."""
_TRUE, _FALSE = ("true", "1", "yes", "t"), ("false", "0", "no", "f")


def typed(text: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """``_line`` and all columns of ``SCHEMAS[kind]``, null where a text is no value of the type."""
    columns = [
        _cast(text[name], dtype) if name in text.columns else pl.Series(name, [None] * text.height, dtype=dtype)
        for name, dtype in SCHEMAS[kind].items()
    ]
    return text.select("_line").with_columns(columns)


def unreadable(text: pl.DataFrame, found: pl.DataFrame, kind: Kind, mended: Collection[str] = ()) -> pl.Series:
    """``unreadable: FIELD`` for the first text that is there but was lost in ``found``, which ``typed`` made of it."""
    lost = [
        pl.when(_given(text[name]) & found[name].is_null()).then(pl.lit(f"unreadable: {name}"))
        for name, dtype in SCHEMAS[kind].items()
        if name in text.columns and dtype != pl.String and name not in mended
    ]
    none = pl.repeat(None, text.height, dtype=pl.String)
    return text.select(reason=pl.coalesce(*lost, none)).to_series()


def time_of(value: pl.Expr) -> pl.Expr:
    """ISO 8601 with or without an offset (then UTC), ``YYYY-mm-dd HH:MM:SS`` (UTC), or ms since the epoch."""
    return pl.coalesce(form(value) for form in _FORMS[pl.Datetime])


def _given(text: pl.Series) -> pl.Series:
    return text.is_not_null() & (text.str.strip_chars() != "")


def _cast(text: pl.Series, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    if dtype == pl.String:
        return text
    value = text.str.strip_chars().to_frame()
    n_given = _given(text).sum()
    name, forms = pl.col(text.name), _FORMS[dtype.base_type()]

    def more(found: pl.Series, form: Form) -> pl.Series:
        if found.len() - found.null_count() == n_given:
            return found
        return value.select(pl.coalesce(found, form(name)).alias(text.name)).to_series()

    return reduce(more, forms[1:], value.select(forms[0](name).alias(text.name)).to_series())


def _iso(value: pl.Expr) -> pl.Expr:
    return value.str.replace(" ", "T", literal=True).str.replace("Z$", "+00:00")


def _with_offset(value: pl.Expr) -> pl.Expr:
    return _iso(value).str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False)


def _without(value: pl.Expr) -> pl.Expr:
    return _iso(value).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="ms", strict=False).dt.replace_time_zone("UTC")


def _whole(value: pl.Expr) -> pl.Expr:
    exact = value.cast(pl.Float64, strict=False)
    return pl.when(exact == exact.floor()).then(exact).cast(pl.Int64, strict=False)


def _truth(value: pl.Expr) -> pl.Expr:
    low = value.str.to_lowercase()
    return pl.when(low.is_in(_TRUE)).then(True).when(low.is_in(_FALSE)).then(False)


def _epoch(value: pl.Expr) -> pl.Expr:
    ms = value.cast(pl.Int64, strict=False)
    return pl.when(ms.is_between(-LAST_MS, LAST_MS)).then(ms).cast(TIME)


_FORMS: dict[type[pl.DataType], tuple[Form, ...]] = {
    pl.Datetime: (_epoch, _with_offset, _without),
    pl.Int64: (lambda value: value.cast(pl.Int64, strict=False), _whole),
    pl.Boolean: (_truth,),
    pl.Float64: (lambda value: value.cast(pl.Float64, strict=False),),
}

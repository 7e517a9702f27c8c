"""Rows encoded by the column are the bytes the driver makes value by value."""

from datetime import UTC, date, datetime

import polars as pl
from cassandra.cqltypes import BooleanType, DateType, DoubleType, LongType, SimpleDateType, UTF8Type
from hypothesis import given
from hypothesis import strategies as st

from kolray.events import TIME
from kolray.stores.cassandra_rows import encoded_rows

TYPES = {
    "text": (pl.String, UTF8Type, st.text(st.characters(codec="utf-8"), max_size=20)),
    "flag": (pl.Boolean, BooleanType, st.booleans()),
    "count": (pl.Int64, LongType, st.integers(-(2**63), 2**63 - 1)),
    "share": (pl.Float64, DoubleType, st.floats(allow_nan=False)),
    "day": (pl.Date, SimpleDateType, st.dates(date(1900, 1, 1))),
    "at": (TIME, DateType, st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001
}
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, (_, _, values) in TYPES.items()}))


@given(ROWS)
def test_rows_encoded_by_column_are_what_the_driver_encodes(rows: list[dict[str, object]]) -> None:
    for row in rows:
        if isinstance(row["at"], datetime):  # CQL keeps milliseconds
            row["at"] = row["at"].replace(microsecond=row["at"].microsecond // 1000 * 1000)
    frame = pl.DataFrame(rows, schema={name: dtype for name, (dtype, _, _) in TYPES.items()})
    theirs = [
        tuple(None if row[name] is None else kind.serialize(row[name], 4) for name, (_, kind, _) in TYPES.items())
        for row in rows
    ]
    assert list(encoded_rows(frame)) == theirs

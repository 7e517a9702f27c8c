"""What a version was made from: hashes that move when, and only when, what they stand for does."""

from __future__ import annotations

import polars as pl

from kolray.features import FEATURE_NAMES
from kolray.models.provenance import feature_schema, libraries, provenance, rows_version


def test_the_schema_depends_on_the_features_and_their_order():
    assert feature_schema(FEATURE_NAMES) == feature_schema(list(FEATURE_NAMES))
    assert feature_schema(FEATURE_NAMES) != feature_schema(FEATURE_NAMES[::-1])
    assert feature_schema(["followers"]) != feature_schema(["a_column_of_the_user"])


def test_rows_are_named_by_content_types_and_order():
    rows = pl.DataFrame({"a": [1, 2], "b": [None, "x"]})
    assert rows_version(rows) == rows_version(pl.concat([rows[:1], rows[1:]], rechunk=True))
    others = (rows.reverse(), rows.select("b", "a"), rows.cast({"a": pl.Float64}), rows.with_columns(a=pl.col("a") + 1))
    assert len({rows_version(other) for other in (rows, *others)}) == 5


def test_tags_are_texts_and_name_what_numbers_depend_on():
    tags = provenance(["followers"], {"gold.features": 3}, 7)
    assert (tags["seed"], tags["data_version"]) == ("7", '{"gold.features": 3}')
    assert {"python", "xgboost-cpu", "polars"} < libraries().keys()
    assert all(isinstance(value, str) for value in tags.values())

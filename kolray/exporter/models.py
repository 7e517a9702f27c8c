"""What the night measured of the champions, as ``ops.drift`` has it."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from kolray.lake.tables import LakeTables
from kolray.models.watch import NAME
from kolray.observability.catalog import filled
from kolray.observability.metric import Family

PSI = ("feature", "score")


def model_metrics(tables: LakeTables) -> Iterator[Family]:
    """The newest night of each model; nothing before the first."""
    rows = newest_measures(tables)
    psi = rows.filter(pl.col("kind").is_in(PSI)).select("model", "kind", "name", "value")
    yield filled("kolray_model_psi", _pairs(psi))
    drifted = rows.group_by("model", "kind").agg(value=pl.col("drifted").sum().cast(pl.Float64)).sort("model", "kind")
    yield filled("kolray_model_drifted_measures", _pairs(drifted))
    yield filled("kolray_model_auc_ratio", _pairs(rows.filter(kind="auc").select("model", "name", "value")))
    yield filled("kolray_forecast_figure", _pairs(rows.filter(kind="forecast").select("model", "name", "value")))
    at = rows.group_by("model").agg(value=pl.col("at").max().dt.epoch("ms") / 1000).sort("model")
    yield filled("kolray_model_measured_timestamp_seconds", _pairs(at))


def newest_measures(tables: LakeTables) -> pl.DataFrame:
    """``model, kind, name, value, drifted, at`` of the newest measurement of each of ``trust`` and ``success``.

    A model's label has its version; the series are named after the model alone, so that they go on over a promotion.
    """
    name = pl.col("model").str.split(":").list.first()
    rows = tables.scan(NAME).select(name.alias("model"), "kind", "name", "value", "drifted", "at")
    return rows.filter(pl.col("at") == pl.col("at").max().over("model")).collect()


def _pairs(rows: pl.DataFrame) -> list[tuple[tuple[str, ...], float | None]]:
    return [(labels, value) for *labels, value in rows.iter_rows()]  # type: ignore[misc]

"""What is known of KOLs in memory: as the lake has it, and newer when it changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from deltalake import write_deltalake

from kolray.clock import SystemClock
from kolray.lake.parts import delta_types
from kolray.lake.reference import upsert_reference
from kolray.lake.tables import LakeTables
from kolray.models.success.beside import BESIDE, Beside, code
from kolray.models.success.covariates import lake_covariates
from kolray.serving.surroundings import Surroundings

NOW = np.array([np.datetime64((SystemClock().now() + timedelta(hours=1)).replace(tzinfo=None), "ms")])


def _told(beside: Beside) -> dict[str, float]:
    columns = beside.columns(NOW, np.arange(1), np.zeros((1, 1), np.int64))
    return {name: float(column[0, 0]) for name, column in zip(BESIDE, columns, strict=True)}


@pytest.fixture
def lake(tmp_path) -> LakeTables:
    kols = pl.DataFrame({"kol_id": ["a", "b"], "platform": ["tiktok", "weibo"], "tier": ["micro", "mega"]})
    upsert_reference(str(tmp_path), "kols", kols)
    return LakeTables(str(tmp_path))


def test_a_kol_is_described_as_the_batch_describes_it(lake):
    about = Surroundings(lake)
    assert about.refresh()
    for kol_id in ("a", "b", "nobody"):
        batch = Beside.of(lake_covariates(lake.root), [kol_id])
        np.testing.assert_equal(_told(about.of(kol_id)), _told(batch))
    assert _told(about.of("b"))["platform"] == code("weibo")


def test_trust_is_the_newest_score_whenever_it_was_given(lake):
    given = [datetime(2100, 1, day, tzinfo=UTC) for day in (1, 2)]
    rows = pl.DataFrame({"kol_id": "a", "as_of": given, "scored_at": given, "trust_score": [10.0, 20.0]})
    rows = rows.with_columns(dt=pl.col("as_of").dt.date())
    write_deltalake(str(lake.path("gold.scores")), delta_types(rows.to_arrow()), partition_by=["dt"])
    about = Surroundings(lake)
    about.refresh()
    assert _told(about.of("a"))["trust_score"] == 20.0
    assert np.isnan(_told(about.of("b"))["trust_score"])


def test_the_lake_is_read_again_only_where_it_changed(lake):
    about = Surroundings(lake)
    assert (about.refresh(), about.refresh()) == (True, False)
    upsert_reference(lake.root, "kols", pl.DataFrame({"kol_id": ["c"], "platform": ["tiktok"]}))
    assert np.isnan(_told(about.of("c"))["platform"])
    assert about.refresh()
    assert _told(about.of("c"))["platform"] == code("tiktok")

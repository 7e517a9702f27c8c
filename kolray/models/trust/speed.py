"""What a score costs here and now: one account as a request asks, and ten thousand at once."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import polars as pl

from kolray.models.metrics import Floats
from kolray.models.trust.model import TrustModel

SINGLE, BATCH = 200, 10_000


def speed(model: TrustModel, x: Floats) -> dict[str, float]:
    """``row_ms``: the median of ``SINGLE`` scores of one row; ``batch_s``: ``BATCH`` rows (``x``, repeated) at once."""
    table = pl.DataFrame(dict(zip(model.feature_names, np.resize(x, (BATCH, x.shape[1])).T, strict=True)))
    table = table.with_columns(kol_id=pl.lit("k"))
    model.score(table[:1])
    took = []
    for row in range(SINGLE):
        one = table[row : row + 1]
        start = perf_counter()
        model.score(one)
        took.append(perf_counter() - start)
    start = perf_counter()
    model.score(table)
    return {"row_ms": 1000 * float(np.median(took)), "batch_s": perf_counter() - start}

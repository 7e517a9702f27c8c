"""How far features have moved since a model was trained: the population stability index, feature by feature (pure).

PSI = Σ (now - then) * ln(now / then) over the shares of KOLs in bins: tenths of what was seen in training, and one of
nulls. By custom 0.1 is a small shift and 0.25 a large one. It says how far, not whether by chance: two samples of one
population differ too, the more the fewer KOLs there are. That is SciPy's chi-squared test of homogeneity on the same
bins, whose p-values of all features are held together by Bonferroni's bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.models.metrics import Floats

TENTHS = np.linspace(0.1, 0.9, 9)
BY_CHANCE = 0.001
"""How often features that did not move at all would be taken for ones that did, all of them together."""
EXPECTED = 5
"""KOLs to be expected in a bin of either sample for the test's distribution to hold (Cochran, 1954)."""
MOVES = {"name": pl.String, "psi": pl.Float64, "p_value": pl.Float64}
_ASIDE = {"kol_id", "as_of", "dt", "label"}


@dataclass(frozen=True)
class Reference:
    """What the features of all KOLs looked like when a model was trained.

    Attributes:
        edges: of each feature: the upper ends of its bins but the last, which has none.
        counts: of each feature: KOLs in each bin, then those without a value.
    """

    edges: dict[str, list[float]]
    counts: dict[str, list[int]]

    @classmethod
    def of(cls, features: pl.DataFrame) -> Self:
        """Of one row of features a KOL; numbers and truth values count, other columns are left out."""
        names = [n for n, t in features.schema.items() if n not in _ASIDE and (t.is_numeric() or t == pl.Boolean)]
        edges = {name: _edges(_values(features, name)) for name in names}
        return cls(edges, {name: _counts(_values(features, name), edges[name]).tolist() for name in names})

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Of what ``asdict`` made."""
        return cls(dict(told["edges"]), dict(told["counts"]))

    def moves(self, features: pl.DataFrame, threshold: float) -> pl.DataFrame:
        """How far each feature moved, the farthest first; one that is absent now counts as null.

        Returns:
            ``name, psi`` (0 and up), ``p_value`` (of no change at all) and ``drifted``: the PSI is above
            ``threshold``, and the p-value below ``BY_CHANCE`` over the number of features.
        """
        pairs = {name: (np.array(self.counts[name]), self._now(features, name)) for name in self.edges}
        moved = pl.DataFrame(
            [(name, _psi(*pair), _p_value(*pair)) for name, pair in pairs.items()], schema=MOVES, orient="row"
        )
        by_chance = BY_CHANCE / max(1, len(pairs))
        drifted = (pl.col("psi") > threshold) & (pl.col("p_value") < by_chance)
        return moved.with_columns(drifted=drifted).sort("psi", "name", descending=[True, False])

    def drifted(self, features: pl.DataFrame, threshold: float) -> dict[str, float]:
        """PSI of the features that moved by more than ``threshold`` and more than chance explains, largest first."""
        found = self.moves(features, threshold).filter("drifted")
        return dict(found.select("name", pl.col("psi").round(4)).iter_rows())

    def _now(self, features: pl.DataFrame, name: str) -> NDArray[np.int64]:
        values = _values(features, name) if name in features.columns else np.full(features.height, np.nan)
        return _counts(values, self.edges[name])


def _values(features: pl.DataFrame, name: str) -> Floats:
    values = features[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def _edges(values: Floats) -> list[float]:
    """The tenths; a value that fills more than one of them gets a bin of its own."""
    seen = values[~np.isnan(values)]
    if not len(seen):
        return []
    tenths, times = np.unique(np.quantile(seen, TENTHS, method="lower"), return_counts=True)
    return np.unique(np.concatenate([tenths, np.nextafter(tenths[times > 1], -np.inf)])).tolist()


def _counts(values: Floats, edges: list[float]) -> NDArray[np.int64]:
    known = values[~np.isnan(values)]
    bins = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1)
    return np.append(bins, len(values) - len(known))


def _psi(then: NDArray[np.int64], now: NDArray[np.int64]) -> float:
    """Half a KOL is added to each bin: an empty one has no logarithm."""
    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (then, now))
    return float(((q - p) * np.log(q / p)).sum())


def _p_value(then: NDArray[np.int64], now: NDArray[np.int64]) -> float:
    """Of the bins in which both samples would be expected to have ``EXPECTED`` KOLs; the others count as one.

    1 where that leaves nothing to compare: so few KOLs cannot show drift.
    """
    from scipy.stats import chi2_contingency

    table = np.stack([then, now])
    table = table[:, np.argsort(table.sum(axis=0))]  # the rarest bins first
    needed = EXPECTED * table.sum() / max(1, table.sum(axis=1).min())
    seen = table.sum(axis=0)
    rare = max(int((seen < needed).sum()), int(np.searchsorted(np.cumsum(seen), needed)) + 1)
    table = np.column_stack([table[:, :rare].sum(axis=1), table[:, rare:]])
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)

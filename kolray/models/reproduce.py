"""A past score made again from its ids: the version that gave it, on the features it was kept with, bit for bit."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from kolray.errors import InvalidInputError, NotFoundError
from kolray.lake.tables import LakeTables
from kolray.models.provenance import LIBRARY_VERSIONS, libraries
from kolray.models.registry import ModelRegistry
from kolray.stores.metrics import SCORE_SCHEMA, MetricsStore

RECENT = 1_000
"""Scores of a KOL that are looked through in the metrics store, for those that the lake has not copied yet."""


@dataclass(frozen=True)
class Reproduced:
    """A score as it is held and as it comes out now; ``same`` if every number is, to the last bit.

    ``libraries`` that are not those of its training, as "then → now": where a number differs, they are why.
    """

    kol_id: str
    model: str
    as_of: datetime
    held: dict[str, float]
    again: dict[str, float]
    source: str
    tags: dict[str, str]
    libraries: dict[str, str] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        return self.held == self.again

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"same": self.same}


def reproduce(
    registry: ModelRegistry,
    lake: LakeTables,
    store: MetricsStore,
    kol_id: str,
    as_of: datetime | None = None,
    model: str | None = None,
) -> Reproduced:
    """Scores again what ``(kol_id, model, as_of)`` names; what is not given is that of the newest score.

    Args:
        model: NAME:VERSION.

    Raises:
        NotFoundError: no such score, or its version is not in the registry.
        InvalidInputError: it is of a version of kolray that did not keep features.
    """
    row, source = _held(lake, store, kol_id, as_of, model)
    if row["features"] is None:
        raise InvalidInputError(f"the score of {kol_id} by {row['model']} was kept without its features")
    name, _, number = str(row["model"]).partition(":")
    loaded = registry.load_version(name, int(number))
    used = pl.DataFrame([json.loads(row["features"])]).with_columns(kol_id=pl.lit(kol_id))
    again = loaded.model.score(used).row(0, named=True)
    numbers = [column for column, value in again.items() if column in row and isinstance(value, float)]
    tags = registry.tags(name, int(number))
    return Reproduced(
        kol_id=kol_id,
        model=str(row["model"]),
        as_of=row["as_of"],
        held={column: row[column] for column in numbers},
        again={column: again[column] for column in numbers},
        source=source,
        tags=tags,
        libraries=_changed(json.loads(tags.get(LIBRARY_VERSIONS, "{}"))),
    )


def score_known(lake: LakeTables, store: MetricsStore, kol_id: str, at: datetime) -> dict[str, Any] | None:
    """The newest score (``SCORE_SCHEMA``) of a KOL that had been made by ``at``, with its features, if any."""
    rows = lake.scan("gold.scores").filter(pl.col("kol_id") == kol_id).select(*SCORE_SCHEMA).collect()
    both = pl.concat([rows.cast(pl.Schema(SCORE_SCHEMA)), store.scores(kol_id, RECENT)])
    made = both.filter((pl.col("scored_at") <= at) & (pl.col("as_of") <= at) & pl.col("features").is_not_null())
    return made.sort("as_of", "scored_at").row(-1, named=True) if made.height else None


def _held(
    lake: LakeTables, store: MetricsStore, kol_id: str, as_of: datetime | None, model: str | None
) -> tuple[dict[str, Any], str]:
    """The row, and where it was found: the lake, which keeps all, or the store, which has the newest."""
    frames = {
        "gold.scores": lake.scan("gold.scores").filter(pl.col("kol_id") == kol_id).collect(),
        "metrics store": store.scores(kol_id, RECENT),
    }
    for source, rows in frames.items():
        wanted = rows if as_of is None else rows.filter(pl.col("as_of") == as_of)
        wanted = wanted if model is None else wanted.filter(pl.col("model") == model)
        if wanted.height:
            return wanted.sort("as_of", "scored_at").row(-1, named=True), source
    ids = ", ".join(str(part) for part in (kol_id, model, as_of) if part is not None)
    raise NotFoundError(f"no score of {ids} in the lake or the metrics store: `kolray lake sql` lists gold.scores")


def _changed(then: dict[str, str]) -> dict[str, str]:
    now = libraries()
    return {name: f"{old} → {now.get(name)}" for name, old in then.items() if now.get(name) != old}

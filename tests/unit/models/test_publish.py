"""What a champion scores when it is published: the newest features, and once what was known a day before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from kolray.lake.scores import copy_scores
from kolray.lake.tables import LakeTables
from kolray.models.publish import publish_scores
from kolray.models.registry import LoadedModel
from kolray.testing.stores import MemoryStore
from tests.unit.models.test_trust import FEATURES
from tests.unit.models.test_trust import TRAINED as TRUST

AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class Registry:
    def __init__(self, version: int) -> None:
        self._champion = LoadedModel(TRUST.model, "trust", version)

    def load(self, _name: str) -> LoadedModel:
        return self._champion


class Lookup:
    """Remembers what Redis was given."""

    def __init__(self) -> None:
        self.scored: set[datetime] = set()

    def put_features(self, rows: pl.DataFrame) -> None: ...

    def put_scores(self, scores: pl.DataFrame, _kols: pl.DataFrame) -> None:
        self.scored |= set(scores["as_of"])


def publish(lake: Path, version: int) -> tuple[MemoryStore, Lookup]:
    store, lookup = MemoryStore(), Lookup()
    ports: Any = (Registry(version), store, lookup)
    assert publish_scores(str(lake), *ports) == 3
    return store, lookup


def times(store: MemoryStore) -> set[datetime]:
    return {at for frame in store.scan_scores(datetime(1970, 1, 1, tzinfo=UTC)) for at in frame["as_of"]}


def test_a_new_champion_also_scores_what_was_known_a_day_before_but_only_once(tmp_path: Path) -> None:
    kept = (AT, AT - timedelta(hours=2), AT - DAY, AT - 2 * DAY, AT - 9 * DAY)
    rows = [FEATURES.head(3).with_columns(as_of=pl.lit(at), dt=pl.lit(at.date())) for at in kept]
    pl.concat(rows).write_delta(str(tmp_path / "gold" / "features"))
    store, lookup = publish(tmp_path, 4)
    assert times(store) == {AT, AT - DAY}
    assert lookup.scored == {AT}, "Redis has what holds now"
    copy_scores(LakeTables(str(tmp_path)), store)
    assert times(publish(tmp_path, 4)[0]) == {AT}
    assert times(publish(tmp_path, 5)[0]) == {AT, AT - DAY}, "scores of two models cannot be compared"


def test_on_the_first_day_there_is_nothing_before(tmp_path: Path) -> None:
    row = FEATURES.head(3).with_columns(as_of=pl.lit(AT), dt=pl.lit(AT.date()))
    row.write_delta(str(tmp_path / "gold" / "features"))
    assert times(publish(tmp_path, 4)[0]) == {AT}

"""Reference tables keep what was known when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from kolray.errors import InvalidInputError
from kolray.events import TIME
from kolray.lake.reference import REFERENCE, current, upsert_reference

T0 = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


class At:
    """A clock that stands still."""

    def __init__(self, days: float) -> None:
        self._now = T0 + days * DAY

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None: ...


def put(root: Path, days: float, **tiers: str | None) -> int:
    """KOLs with a tier, known from a day on."""
    frame = pl.DataFrame({"kol_id": list(tiers), "tier": list(tiers.values())}, schema_overrides={"tier": pl.String})
    return upsert_reference(str(root), "kols", frame, At(days))


def tiers(root: Path, as_of: datetime | None = None) -> dict[str, str | None]:
    """Tier of every KOL."""
    return dict(current(str(root), "kols", as_of).sort("kol_id").select("kol_id", "tier").iter_rows())


def test_a_table_that_was_never_written_is_empty(tmp_path: Path) -> None:
    for name, (schema, _) in REFERENCE.items():
        assert current(str(tmp_path), name).schema == pl.Schema(schema)
        assert current(str(tmp_path), name).is_empty()


def test_only_rows_that_changed_are_added(tmp_path: Path) -> None:
    assert put(tmp_path, 0, a="nano", b=None) == 2
    assert put(tmp_path, 1, a="nano", b=None) == 0
    assert put(tmp_path, 2, a="micro", b=None, c="mega") == 2
    assert tiers(tmp_path) == {"a": "micro", "b": None, "c": "mega"}
    assert pl.read_delta(str(tmp_path / "ref" / "kols")).height == 4


def test_the_past_stays_as_it_was_known(tmp_path: Path) -> None:
    put(tmp_path, 0, a="nano")
    put(tmp_path, 2, a="micro", b="mega")
    assert tiers(tmp_path, T0 - DAY) == {}
    assert tiers(tmp_path, T0) == {"a": "nano"}
    assert tiers(tmp_path, T0 + 1.9 * DAY) == {"a": "nano"}
    assert tiers(tmp_path, T0 + 2 * DAY) == {"a": "micro", "b": "mega"}


def test_a_value_may_come_back_or_become_unknown(tmp_path: Path) -> None:
    for day, tier in enumerate(("nano", "micro", "nano", None)):
        assert put(tmp_path, day, a=tier) == 1
    assert [tiers(tmp_path, T0 + day * DAY)["a"] for day in range(4)] == ["nano", "micro", "nano", None]


def test_the_last_row_of_a_key_in_one_file_counts(tmp_path: Path) -> None:
    frame = pl.DataFrame({"kol_id": ["a", "a"], "tier": ["nano", "mega"]})
    assert upsert_reference(str(tmp_path), "kols", frame) == 1
    assert tiers(tmp_path) == {"a": "mega"}


def test_keys_of_several_columns(tmp_path: Path) -> None:
    judged = {"kol_id": ["a", "a"], "source": ["x", "y"], "label": ["1", "0"], "at": [T0, T0]}
    assert upsert_reference(str(tmp_path), "labels", pl.DataFrame(judged)) == 2
    held = current(str(tmp_path), "labels").sort("source")
    assert held.schema == pl.Schema(REFERENCE["labels"][0])
    assert held["label"].to_list() == [1, 0]


def test_a_column_that_an_older_lake_lacks_is_null_in_what_it_holds(tmp_path: Path) -> None:
    root = str(tmp_path)
    old = {"kol_id": ["a"], "label": [1], "source": ["x"], "at": [T0], "valid_from": [T0]}
    frame = pl.DataFrame(old, schema_overrides={"label": pl.Int8, "at": TIME, "valid_from": TIME})
    frame.write_delta(str(tmp_path / "ref" / "labels"))
    assert current(root, "labels")["fake_share"].to_list() == [None]
    counted = pl.DataFrame({"kol_id": ["b"], "label": [1], "source": ["x"], "at": [T0], "fake_share": [0.25]})
    assert upsert_reference(root, "labels", counted) == 1
    assert dict(current(root, "labels").select("kol_id", "fake_share").iter_rows()) == {"a": None, "b": 0.25}


@pytest.mark.parametrize("share", [-0.01, 25.0, float("nan")])
def test_a_fake_share_is_a_share(tmp_path: Path, share: float) -> None:
    frame = pl.DataFrame({"kol_id": ["a"], "source": ["x"], "label": [1], "fake_share": [share]})
    with pytest.raises(InvalidInputError, match="fake_share of 1 rows is outside 0–1"):
        upsert_reference(str(tmp_path), "labels", frame)


def test_what_cannot_be_a_reference_table(tmp_path: Path) -> None:
    root = str(tmp_path)
    with pytest.raises(InvalidInputError, match=r"no reference table 'people'; there are kols, campaigns, labels"):
        upsert_reference(root, "people", pl.DataFrame())
    with pytest.raises(InvalidInputError, match=r"ref.campaigns needs the columns .* missing: kol_id"):
        upsert_reference(root, "campaigns", pl.DataFrame({"campaign_id": ["c"]}))
    with pytest.raises(InvalidInputError, match=r"ref.labels: conversion from"):
        upsert_reference(root, "labels", pl.DataFrame({"kol_id": ["a"], "source": ["x"], "label": ["fraud"]}))
    assert current(root, "labels").is_empty()

"""Frozen generated worlds that trust is judged on, as tables of features."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from kolray.connectors.generator import WorldConfig, build_world
from kolray.features import FEATURE_NAMES
from kolray.models.provenance import feature_schema
from kolray.models.sentiment import default_classifier
from kolray.models.trust.world_table import build_table
from kolray.models.worlds import FrozenWorld, checked_world

_END = datetime(2026, 1, 12, tzinfo=UTC)


def _clean(n_kols: int, hours: int, seed: int, difficulty: str) -> WorldConfig:
    """A world without transport faults, which are the stream's matter; its late events stay."""
    return WorldConfig(n_kols, hours, seed, _END, duplicate_share=0, invalid_share=0, difficulty=difficulty)  # type: ignore[arg-type]


WORLDS: dict[str, FrozenWorld] = {
    "easy": FrozenWorld(_clean(2_000, 96, 4101, "easy"), "3f29dc5c1b0da246"),
    "standard": FrozenWorld(_clean(4_000, 168, 4201, "standard"), "f4c20b27e4b16603"),
    "hard": FrozenWorld(_clean(8_000, 168, 4301, "hard"), "946567280ef62de7"),
    "large": FrozenWorld(_clean(20_000, 96, 4401, "standard"), "9b3ce89a472bc8f5"),
    "large_hard": FrozenWorld(_clean(20_000, 168, 4501, "hard"), "865a692e1714301d"),
}


def world_table(name: str, home: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(features as of the world's end, truth) of a frozen world; kept below ``home`` for the next time.

    Raises:
        InvalidInputError: no such world, or the generator makes another one now.
    """
    world = frozen_world(name)
    made_by = f"{feature_schema(FEATURE_NAMES)}-{default_classifier().version}"
    file = home / "worlds" / f"{name}-{world.frozen}-{made_by}.parquet"
    truth = build_world(world.config).truth
    if not file.exists():
        features = build_table(world.config)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        features.write_parquet(part)
        part.rename(file)
    return pl.read_parquet(file), truth


def frozen_world(name: str) -> FrozenWorld:
    """The world of that name, if the generator still makes it.

    Raises:
        InvalidInputError: no such world, or the generator makes another one now.
    """
    return checked_world(WORLDS, name)

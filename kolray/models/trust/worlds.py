"""Frozen generated worlds that trust is judged on: named settings, and a hash of what the generator made of them.

They were frozen before any model was tuned on the generator. A change of the generator makes other worlds; then the
hashes do not hold any more, and figures of before and after must not be compared.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import polars as pl

from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.errors import InvalidInputError
from kolray.features import FEATURE_NAMES
from kolray.models.provenance import feature_schema
from kolray.models.sentiment import default_classifier
from kolray.models.trust.world_table import build_table

_END = datetime(2026, 1, 12, tzinfo=UTC)
_PROBED_HOURS = 30


@dataclass(frozen=True)
class FrozenWorld:
    """Settings and the hash that ``fingerprint`` gave when it was frozen."""

    config: WorldConfig
    frozen: str


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


def fingerprint(config: WorldConfig) -> str:
    """A hash of the truth about every KOL and of the first cohort's first events, as text (so of no library's bytes).

    All cohorts and hours come from the same code by other random numbers, so these stand for the rest.
    """
    digest = hashlib.sha256(build_world(config).truth.write_csv().encode())
    for batch in islice(batches(build_world(config, range(1))), _PROBED_HOURS):
        digest.update(batch.social.write_csv().encode())
        digest.update(batch.web.write_csv().encode())
    return digest.hexdigest()[:16]


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
    if name not in WORLDS:
        raise InvalidInputError(f"no world {name!r}: choose {', '.join(WORLDS)}")
    world = WORLDS[name]
    if (found := fingerprint(world.config)) != world.frozen:
        raise InvalidInputError(
            f"world {name} is not the one that was frozen ({found}, not {world.frozen}): the generator or numpy's "
            "random numbers changed. Figures on it cannot be compared with earlier ones; freeze it anew in "
            "kolray/models/trust/worlds.py and measure everything again"
        )
    return world

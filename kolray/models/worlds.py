"""Frozen generated worlds that models are judged on: named settings, and a hash of what the generator made of them.

They were frozen before any model was tuned on the generator. A change of the generator makes other worlds; then the
hashes do not hold any more, and figures of before and after must not be compared.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import polars as pl

from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.errors import InvalidInputError

Work = TypeVar("Work")
Done = TypeVar("Done")
_PROBED_HOURS = 30


@dataclass(frozen=True)
class FrozenWorld:
    """Settings and the hash that ``fingerprint`` gave when it was frozen."""

    config: WorldConfig
    frozen: str


def fingerprint(config: WorldConfig) -> str:
    """A hash of the truth about every KOL and of the first cohort's first events, as text (so of no library's bytes).

    All cohorts and hours come from the same code by other random numbers, so these stand for the rest.
    """
    digest = hashlib.sha256(build_world(config).truth.write_csv().encode())
    for batch in islice(batches(build_world(config, range(1))), _PROBED_HOURS):
        digest.update(batch.social.write_csv().encode())
        digest.update(batch.web.write_csv().encode())
    return digest.hexdigest()[:16]


def checked_world(worlds: Mapping[str, FrozenWorld], name: str) -> FrozenWorld:
    """The world of that name, if the generator still makes it.

    Raises:
        InvalidInputError: no such world, or the generator makes another one now.
    """
    if name not in worlds:
        raise InvalidInputError(f"no world {name!r}: choose {', '.join(worlds)}")
    world = worlds[name]
    if (found := fingerprint(world.config)) != world.frozen:
        raise InvalidInputError(
            f"world {name} is not the one that was frozen ({found}, not {world.frozen}): the generator or numpy's "
            "random numbers changed. Figures on it cannot be compared with earlier ones; freeze it anew where its "
            "settings stand and measure everything again"
        )
    return world


def spread(work: Callable[[Work], Done], shares: Iterable[Work], processes: int | None = None) -> list[Done]:
    """``work`` on each share, by processes (none: a core each), results in the order of the shares."""
    todo = list(shares)
    workers = min(len(todo), processes or os.cpu_count() or 1)
    if workers < 2:
        return [work(share) for share in todo]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, todo))


def kept_cohorts(
    stem: Path, parts: Sequence[str], make: Callable[[WorldConfig, int], tuple[pl.DataFrame, ...]], config: WorldConfig
) -> list[pl.DataFrame]:
    """Frames of all cohorts, one for each of ``parts``; made once, by all cores, and kept as ``STEM-PART.parquet``."""
    files = [stem.with_name(f"{stem.name}-{part}.parquet") for part in parts]
    if not all(file.exists() for file in files):
        made = spread(partial(make, config), range(config.cohorts))
        stem.parent.mkdir(parents=True, exist_ok=True)
        for file, frames in zip(files, zip(*made, strict=True), strict=True):
            part = file.with_suffix(".part")
            pl.concat(frames).write_parquet(part)
            part.rename(file)
    return [pl.read_parquet(file) for file in files]

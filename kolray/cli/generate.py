"""``kolray generate``: a seeded world into Kafka or into files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import typer
from rich.console import Console
from rich.progress import track

from kolray.clock import SystemClock
from kolray.errors import InvalidInputError
from kolray.settings import load_settings

if TYPE_CHECKING:
    import polars as pl

    from kolray.connectors.generator import World


def generate(
    kols: int = typer.Option(2000, min=1, help="KOLs in the world"),
    hours: int = typer.Option(96, min=1, help="hours of events, ending at --end"),
    seed: int = typer.Option(7, help="equal seeds give equal events"),
    difficulty: str = typer.Option("standard", help="how well fraud hides: easy, standard or hard"),
    end: str | None = typer.Option(None, help="ISO time of the last hour; default: now"),
    parquet: Path | None = typer.Option(None, help="write files into this folder instead of Kafka"),
    as_json: bool = typer.Option(False, "--json", help="counts as JSON"),
) -> None:
    """Make a world of honest and cheating KOLs and send its events to the raw topics."""
    from kolray.connectors.generator import Difficulty, WorldConfig, build_world
    from kolray.lake.world import send_world

    if difficulty not in get_args(Difficulty):
        raise InvalidInputError(f"--difficulty {difficulty}: choose {', '.join(get_args(Difficulty))}")
    at = datetime.fromisoformat(end).astimezone(UTC) if end else SystemClock().now()
    world = build_world(WorldConfig(kols, hours, seed, at, difficulty=cast(Difficulty, difficulty)))
    sent = _to_files(world, parquet) if parquet else send_world(load_settings(), world, show=True)
    print(json.dumps({"events": sent, "kols": kols}) if as_json else f"{sent:,} events of {kols:,} KOLs")


def _to_files(world: World, folder: Path) -> int:
    from kolray.connectors.generator import batches

    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    todo = track(batches(world), total=world.config.hours, console=Console(stderr=True), description="hours")
    for hour, batch in enumerate(todo):
        for kind, frame in (("social", batch.social), ("web", batch.web)):
            frame.write_parquet(folder / f"{kind}-{hour:04d}.parquet")
            total += frame.height
    for name in ("kols", "campaigns", "labels", "truth"):
        table: pl.DataFrame = getattr(world, name)
        table.write_parquet(folder / f"{name}.parquet")
    return total


def register(root: typer.Typer) -> None:
    """Adds ``kolray generate``."""
    root.command()(generate)

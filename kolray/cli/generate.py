"""``kolray generate``: a seeded world into Kafka or into files."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kolray.clock import SystemClock
from kolray.settings import load_settings

if TYPE_CHECKING:
    from kolray.connectors.generator import World


def generate(
    kols: int = typer.Option(2000, min=1, help="KOLs in the world"),
    hours: int = typer.Option(96, min=1, help="hours of events, ending at --end"),
    seed: int = typer.Option(7, help="equal seeds give equal events"),
    end: str | None = typer.Option(None, help="ISO time of the last hour; default: now"),
    parquet: Path | None = typer.Option(None, help="write files into this folder instead of Kafka"),
    as_json: bool = typer.Option(False, "--json", help="counts as JSON"),
) -> None:
    """Make a world of honest and cheating KOLs and send its events to the raw topics."""
    from kolray.connectors.generator import WorldConfig, build_world
    from kolray.lake.world import send_world

    at = datetime.fromisoformat(end).astimezone(UTC) if end else SystemClock().now()
    world = build_world(WorldConfig(n_kols=kols, hours=hours, seed=seed, end=at))
    sent = _to_files(world, parquet) if parquet else send_world(load_settings(), world, show=True)
    print(json.dumps({"events": sent, "kols": kols}) if as_json else f"{sent:,} events of {kols:,} KOLs")


def _to_files(world: World, folder: Path) -> int:
    from kolray.connectors.generator import batches

    folder.mkdir(parents=True, exist_ok=True)
    total = 0
    for hour, batch in enumerate(batches(world)):
        for kind, frame in (("social", batch.social), ("web", batch.web)):
            frame.write_parquet(folder / f"{kind}-{hour:04d}.parquet")
            total += frame.height
    for name, frame in (("kols", world.kols), ("campaigns", world.campaigns), ("labels", world.labels)):
        frame.write_parquet(folder / f"{name}.parquet")
    return total


def register(root: typer.Typer) -> None:
    """Adds ``kolray generate``."""
    root.command()(generate)

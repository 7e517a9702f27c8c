"""Rankings of many KOLs on a Redis of their own: pages while scores and hours come in, and how soon an update shows."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import polars as pl
import redis

from kolray.errors import KolrayError
from kolray.events import TIME
from kolray.local import servers
from kolray.local.profiles import one_server
from kolray.serving.build import build
from kolray.serving.tokens import Tokens
from kolray.settings import RedisSettings, Settings, load_settings
from kolray.stores.features import FeatureStore
from kolray.stores.open import open_feature_store, open_metrics_store
from kolray.stores.rankings import BYS, RankBy

PLATFORMS = ("facebook", "instagram", "tiktok", "weibo", "youtube")
CATEGORIES = tuple(f"category-{i:02d}" for i in range(20))
HOUR = datetime(2026, 3, 12, 12, tzinfo=UTC)
PAGE = 100
PER_BEAT, BEAT_S = 100, 0.1
"""Scores, and as many hours, that come in each tenth of a second while pages are read."""


def run(kols: int, pages: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures; ``problems`` is 0 where every page was full and in order, and every update was seen."""
    with TemporaryDirectory(prefix="kolray-rankings-") as folder, one_server(servers.redis, Path(folder)):
        settings = load_settings(home=Path(folder))
        with closing(open_feature_store(settings.redis)) as live, closing(open_metrics_store(settings)) as store:
            store.migrate()
            say(f"{kols:,} KOLs")
            figures = _load(live, settings.redis, kols, seed)
            with _updates(settings.redis, kols, seed):
                say(f"{pages:,} pages")
                times, problems = _read(live, pages, seed)
                asked = asyncio.run(_ask(settings, pages // 10, seed))
                say("updates")
                seen = [_seen_after(live, _kol(i), 1000.0 + i) for i in range(min(kols, pages // 10))]
        spreads = _spread("page", times) | _spread("http", asked) | _spread("update_to_rank", seen)
        return figures | spreads | {"problems": problems}


def _load(live: FeatureStore, settings: RedisSettings, kols: int, seed: int) -> dict[str, Any]:
    chance = np.random.default_rng(seed)
    segments = {"platform": chance.choice(PLATFORMS, kols), "category": chance.choice(CATEGORIES, kols)}
    frame = pl.DataFrame({"kol_id": [_kol(i) for i in range(kols)], **segments})
    started = time.perf_counter()
    live.place(frame)
    for by in ("trust", "success"):
        live.put_ranking(by, frame.select("kol_id", value=pl.Series(chance.uniform(0, 100, kols))))
    live.put_hours(_hours(frame["kol_id"].to_list(), chance))
    seconds = time.perf_counter() - started
    with closing(redis.Redis.from_url(settings.url)) as client:
        memory_mb = client.info("memory")["used_memory"] / 1e6
    return {"kols": kols, "load_s": round(seconds, 1), "redis_mb": round(memory_mb)}


def _kol(i: int) -> str:
    return f"kol_{i:07d}"


def _hours(kol_ids: list[str], chance: np.random.Generator) -> pl.DataFrame:
    followers = chance.integers(100, 1_000_000, len(kol_ids))
    counts = {"likes": chance.integers(0, 10_000, len(kol_ids)), "comments": 0, "shares": 0}
    gained = {"followers_first": followers, "followers_last": followers + chance.integers(-50, 500, len(kol_ids))}
    return pl.DataFrame({"kol_id": kol_ids, **counts, **gained}).with_columns(window_start=pl.lit(HOUR).cast(TIME))


@contextmanager
def _updates(settings: RedisSettings, kols: int, seed: int) -> Iterator[None]:
    """Scores and hours come in from another process."""
    process = multiprocessing.get_context("spawn").Process(target=_update, args=(settings, kols, seed), daemon=True)
    process.start()
    try:
        yield
        if not process.is_alive():
            raise KolrayError("the process that updates the rankings ended early; its error is above")
    finally:
        process.terminate()
        process.join()


def _update(settings: RedisSettings, kols: int, seed: int) -> None:
    chance, live = np.random.default_rng(seed), open_feature_store(settings)
    while True:
        kol_ids = [_kol(i) for i in chance.integers(0, kols, PER_BEAT)]
        live.put_ranking("trust", pl.DataFrame({"kol_id": kol_ids, "value": chance.uniform(0, 100, PER_BEAT)}))
        live.put_hours(_hours(kol_ids, chance))
        time.sleep(BEAT_S)


def _places(pages: int, seed: int) -> Iterator[tuple[RankBy, str | None, str | None, int]]:
    """What is asked for: half of it for every platform or category, mostly the first page."""
    chance = random.Random(seed)  # noqa: S311 - which page is read is no secret
    for _ in range(pages):
        platform = chance.choice([None, chance.choice(PLATFORMS)])
        category = chance.choice([None, chance.choice(CATEGORIES)])
        yield chance.choice(BYS), platform, category, chance.choice([0, 0, 0, PAGE, 10 * PAGE])


def _read(live: FeatureStore, pages: int, seed: int) -> tuple[list[float], int]:
    times, problems = [], 0
    for by, platform, category, offset in _places(pages, seed):
        started = time.perf_counter()
        page = live.rankings(by, platform, PAGE, category, offset)
        times.append(time.perf_counter() - started)
        values = [row.value for row in page.rows]
        full = len(values) == min(PAGE, max(0, page.total - offset))
        problems += not full or values != sorted(values, reverse=True)
    return times, problems


async def _ask(settings: Settings, requests: int, seed: int) -> list[float]:
    """The same through the whole application, without a socket."""
    token = Tokens.of(settings).create("bench", ("read",), 1_000_000)
    times, header = [], {"Authorization": f"Bearer {token}"}
    inside = httpx.ASGITransport(build(settings))
    async with httpx.AsyncClient(transport=inside, headers=header, base_url="http://bench") as client:
        for by, platform, category, offset in _places(requests, seed):
            asked = {"by": by, "platform": platform, "category": category, "offset": offset, "limit": PAGE}
            query = {name: value for name, value in asked.items() if value is not None}
            started = time.perf_counter()
            answer = await client.get("/rankings", params=query)
            times.append(time.perf_counter() - started)
            if answer.status_code != httpx.codes.OK:
                raise KolrayError(f"/rankings answered {answer.status_code}: {answer.text}")
    return times


def _seen_after(live: FeatureStore, kol_id: str, value: float) -> float:
    """Seconds until a KOL whose value beats all stands first."""
    started = time.perf_counter()
    live.put_ranking("success", pl.DataFrame({"kol_id": [kol_id], "value": [value]}))
    while live.rankings("success", limit=1).rows[0].kol_id != kol_id:
        pass
    return time.perf_counter() - started


def _spread(name: str, seconds: list[float]) -> dict[str, float]:
    """Percentiles in ms."""
    p50, p95, p99 = np.percentile(np.array(seconds) * 1000, (50, 95, 99))
    return {f"{name}_p50_ms": round(p50, 3), f"{name}_p95_ms": round(p95, 3), f"{name}_p99_ms": round(p99, 3)}

"""The KOLs of a world: who they are, how they behave, who cheats, and which campaigns they run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from kolray.clock import to_ms
from kolray.connectors.generator.config import FAKE_LAWS, FRAUD_TYPES, HONEST, LOOKALIKES, WorldConfig
from kolray.events import TIME

Floats = npt.NDArray[np.float64]

PLATFORMS = ("youtube", "tiktok", "weibo")
CATEGORIES = ("beauty", "food", "fashion", "games", "education", "travel")
TIERS = (("nano", 10_000), ("micro", 100_000), ("macro", 1_000_000), ("mega", 1 << 40))


@dataclass(frozen=True)
class World:
    """Reference frames (``kols``, ``campaigns``, ``labels``), what is true, and a row of behaviour a KOL (``traits``).

    ``truth``: ``kol_id, label`` (1 = fraud), ``kind`` (a fraud type, a look-alike or honest), ``fake_share`` (of the
    followers, 0–1), ``platform, tier``.
    """

    config: WorldConfig
    kols: pl.DataFrame
    campaigns: pl.DataFrame
    labels: pl.DataFrame
    truth: pl.DataFrame
    traits: pl.DataFrame


def build_world(config: WorldConfig) -> World:
    """The world of a configuration, without its events (see ``stream.batches``)."""
    rng = np.random.default_rng([config.seed, 0])
    traits = _traits(config, rng)
    kols = traits.select("kol_id", "platform", "category", "tier", "language")
    label = pl.col("kind").is_in(FRAUD_TYPES).cast(pl.Int8).alias("label")
    truth = traits.select("kol_id", label, "kind", "fake_share", "platform", "tier")
    labels = truth.select(
        "kol_id",
        "label",
        "fake_share",
        source=pl.lit("generator"),
        at=pl.lit(config.start).cast(TIME),
        fraud_type="kind",
    )
    return World(config, kols, _campaigns(config, traits, rng), labels, truth, traits)


def _traits(config: WorldConfig, rng: np.random.Generator) -> pl.DataFrame:
    n = config.n_kols
    followers = np.exp(rng.normal(10.6, 1.3, n)).clip(2000, 2e7).astype(np.int64)
    size = np.log10(followers)
    kind = _kinds(config, rng)
    strength = rng.beta(2.2, 1.5, n)  # some cheat a little, some a lot
    bought = np.array([FAKE_LAWS.get(name, (0.0, 0.0)) for name in kind])
    fake_share = bought[:, 0] + strength * bought[:, 1] + rng.beta(1.5, 45, n)  # nobody's audience is all real
    rate = np.exp(rng.normal(-3.1, 0.45, n)) * (followers / 30_000.0) ** -0.12
    frame = pl.DataFrame(
        {
            "index": np.arange(n),
            "platform": rng.choice(PLATFORMS, n, p=[0.45, 0.40, 0.15]),
            "category": rng.choice(CATEGORIES, n),
            "language": rng.choice(["vi", "en"], n, p=[0.7, 0.3]),
            "followers": followers,
            "following": np.exp(rng.normal(5.6, 0.9, n)).astype(np.int64),
            "posts": np.exp(rng.normal(5.5, 0.9, n)).astype(np.int64),
            "verified": rng.random(n) < (size - 3.2).clip(0.02, 3) / 6,
            "age_days": np.exp(rng.normal(6.9, 0.7, n)).clip(20, 5000),
            "kind": kind,
            "strength": strength,
            "fake_share": fake_share.clip(0, 0.98).round(4),
            "rate": rate,  # engagements an impression
            "reach": np.exp(rng.normal(-0.5, 0.4, n)),  # impressions a follower and day
            "active": (0.18 * (size - 2.2)).clip(0.15, 1.0),  # comments an hour, relative
            "posts_a_day": np.exp(rng.normal(0.2, 0.6, n)).clip(0.2, 8),
            "growth": 0.0012 + 0.002 * rng.standard_t(4, n).clip(-4, 6),  # of followers a day
            "comment_ratio": np.exp(rng.normal(-2.5, 0.45, n)),  # comments a like
            "click_rate": np.exp(rng.normal(-3.9, 0.45, n)),  # clicks an impression
            "view_share": np.exp(rng.normal(-0.7, 0.25, n)),  # views an impression
            "fans": rng.integers(8, 400, n),  # authors who comment again and again
            "fan_share": rng.beta(1.5, 4, n),
            "noise": rng.uniform(0.05, 0.15, n),
            "peak_hour": rng.normal(13.0, 2.5, n) % 24,  # UTC: evening in Vietnam
            "depth": rng.uniform(0.5, 0.9, n),
            "event_hour": rng.integers(config.hours // 6, max(config.hours - 6, config.hours // 6 + 1), n),
            "mood": rng.beta(6, 3, n),
        }
    )
    tier = pl.coalesce(pl.when(pl.col("followers") < limit).then(pl.lit(name)) for name, limit in TIERS)
    kol_id = pl.format("kol_{}", pl.col("index").cast(pl.String).str.zfill(6))
    return frame.with_columns(kol_id.alias("kol_id"), tier.alias("tier"))


def _kinds(config: WorldConfig, rng: np.random.Generator) -> list[str]:
    """Every fraud type equally often, look-alikes for a tenth of the honest."""
    n_fraud = round(config.n_kols * config.fraud_share)
    n_alike = (config.n_kols - n_fraud) // 10
    kinds = [FRAUD_TYPES[i % len(FRAUD_TYPES)] for i in range(n_fraud)]
    kinds += [LOOKALIKES[i % len(LOOKALIKES)] for i in range(n_alike)]
    kinds += [HONEST] * (config.n_kols - len(kinds))
    return [kinds[i] for i in rng.permutation(config.n_kols)]


def _campaigns(config: WorldConfig, traits: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """An eighth of the KOLs run one campaign each, for a day or two, with a known lift of engagement."""
    n = max(1, config.n_kols // 8)
    chosen = np.sort(rng.choice(config.n_kols, n, replace=False))
    first = rng.integers(0, max(1, config.hours - 24), n)
    length = rng.integers(12, 49, n)
    start = [config.start + timedelta(hours=int(h)) for h in first]
    end = [at + timedelta(hours=int(h)) for at, h in zip(start, length, strict=True)]
    return pl.DataFrame(
        {
            "campaign_id": [f"cmp_{i:05d}" for i in range(n)],
            "kol_id": traits["kol_id"].gather(chosen),
            "start": start,
            "end": end,
            "budget": np.round(np.exp(rng.normal(7.5, 0.8, n)), 2),
            "currency": ["USD"] * n,
            "category": traits["category"].gather(chosen),
            "phases": [json.dumps(["teaser", "launch", "sustain"])] * n,
            "lift": np.round(rng.uniform(0.1, 0.6, n), 3),
        },
        schema_overrides={"start": TIME, "end": TIME},
    )


def hours_since_start(config: WorldConfig, at_ms: Floats) -> Floats:
    """Hours of the world that have passed at some times."""
    return (at_ms - to_ms(config.start)) / 3_600_000

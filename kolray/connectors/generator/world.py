"""The KOLs of a world: who they are, how they behave, who cheats, and which campaigns they run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from kolray.connectors.generator.config import COHORT, FRAUD_TYPES, HONEST, LOOKALIKES, WorldConfig
from kolray.connectors.generator.platforms import PLATFORMS, TIERS
from kolray.connectors.generator.signs import FAKE_LAWS, LEVELS, Floats, draw_signs
from kolray.events import TIME

CATEGORIES = ("beauty", "food", "fashion", "games", "education", "travel")
CAMPAIGN_EVERY = 8
TRAITS, CAMPAIGNS = 0, 2
"""Streams of random numbers of a cohort; ``stream.EVENTS`` is another."""


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


def build_world(config: WorldConfig, cohorts: range | None = None) -> World:
    """The world of a configuration, or some cohorts of it, without its events (see ``stream.batches``)."""
    chosen = range(config.cohorts) if cohorts is None else cohorts
    made = [_cohort(config, cohort) for cohort in chosen]
    traits, campaigns = (pl.concat(frames) for frames in zip(*made, strict=True))
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
    kols = traits.select("kol_id", "platform", "category", "tier", "language")
    return World(config, kols, campaigns, labels, truth, traits)


def _cohort(config: WorldConfig, cohort: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    traits = _traits(config, cohort, np.random.default_rng([config.seed, TRAITS, cohort]))
    return traits, _campaigns(config, cohort, traits, np.random.default_rng([config.seed, CAMPAIGNS, cohort]))


def _traits(config: WorldConfig, cohort: int, rng: np.random.Generator) -> pl.DataFrame:
    index = np.array(config.members(cohort))
    n, level = len(index), LEVELS[config.difficulty]
    kind = _kinds(config, cohort, rng)
    fraud = np.isin(kind, FRAUD_TYPES)
    law = np.array([FAKE_LAWS.get(name, (0.0, 0.0)) for name in kind])
    anybody = rng.beta(1.5, 45, n)  # nobody's audience is all real
    force = np.where(fraud, rng.beta(4, 2, n), 0.0)  # some cheat a little, most a lot
    fake = (law[:, 0] * fraud + force * law[:, 1] + anybody).clip(0, 0.98)
    strength = np.where(fraud, 0.35 + 0.65 * force, anybody)
    platform = rng.choice(list(PLATFORMS), n, p=[p.share for p in PLATFORMS.values()])
    size = np.array([PLATFORMS[p].followers for p in platform])
    followers = np.exp(rng.normal(size[:, 0], size[:, 1])).clip(2000, 2e7).astype(np.int64)
    signs = _on_platforms(draw_signs(rng, kind, strength, level), platform, followers)
    known = (np.log10(followers) - 3.2).clip(0.02, 3) / 6 * np.exp(-level.shift * strength / 2)
    frame = pl.DataFrame(
        {
            "index": index,
            "platform": platform,
            "category": rng.choice(CATEGORIES, n),
            "language": rng.choice(["vi", "en"], n, p=[0.7, 0.3]),
            "followers": followers,
            "verified": rng.random(n) < known,
            "kind": kind,
            "strength": strength,
            "fake_share": fake.round(4),
            "active": (0.18 * (np.log10(followers) - 2.2)).clip(0.15, 1.0),  # comments an hour, relative
            "event_hour": rng.integers(config.hours // 6, max(config.hours - 6, config.hours // 6 + 1), n),
            "event_size": rng.uniform(0.5, 1.0, n) * level.event,
            "bought": _bought(kind, fraud, rng),
            "asleep": _asleep(kind, rng) * level.asleep,
            "minute": rng.integers(0, 60, n),
            **signs,
        }
    )
    tier = pl.coalesce(pl.when(pl.col("followers") < limit).then(pl.lit(name)) for name, limit in TIERS)
    kol_id = pl.format("kol_{}", pl.col("index").cast(pl.String).str.zfill(6))
    return frame.with_columns(kol_id.alias("kol_id"), tier.alias("tier"))


def _on_platforms(
    signs: dict[str, Floats], platform: npt.NDArray[np.str_], followers: npt.NDArray[np.int64]
) -> dict[str, Floats]:
    """The traits as they are on each KOL's platform and for its size: large accounts are reacted to less."""
    names = ("rate", "reach", "comments", "posts")
    own = {name: np.exp([getattr(PLATFORMS[p], name) for p in platform]) for name in names}
    return signs | {
        "rate": signs["rate"] * own["rate"] * (followers / 30_000.0) ** -0.12,
        "reach": signs["reach"] * own["reach"],
        "comment_ratio": signs["comment_ratio"] * own["comments"],
        "posts_a_day": (signs["posts_a_day"] * own["posts"]).clip(0.2, 9),
    }


def _bought(kind: npt.NDArray[np.str_], fraud: npt.NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """How much of the jump in ``event_size`` was bought: whoever cheats one way often buys some followers too."""
    beside = np.where(fraud & (rng.random(len(kind)) < 0.3), 0.6, 0.0)
    return np.where(kind == "bought_burst", 1.0, beside)


def _asleep(kind: npt.NDArray[np.str_], rng: np.random.Generator) -> Floats:
    """How deep an account sleeps until its hour, 0–1; many recycled ones do as well."""
    deep, light = rng.uniform(0.8, 1.0, len(kind)), rng.uniform(0.4, 0.9, len(kind))
    again = (kind == "recycled") & (rng.random(len(kind)) < 0.6)
    return np.where(np.isin(kind, ("hacked_dormant", "comeback")), deep, np.where(again, light, 0.0))


def _kinds(config: WorldConfig, cohort: int, rng: np.random.Generator) -> npt.NDArray[np.str_]:
    """Every fraud type equally often, the look-alikes' share of the honest."""
    n = len(config.members(cohort))
    n_fraud = round(n * config.fraud_share)
    n_alike = round((n - n_fraud) * LEVELS[config.difficulty].lookalikes)
    first = cohort * n_fraud  # the types take turns over cohorts too
    kinds = [FRAUD_TYPES[(first + i) % len(FRAUD_TYPES)] for i in range(n_fraud)]
    kinds += [LOOKALIKES[i % len(LOOKALIKES)] for i in range(n_alike)]
    kinds += [HONEST] * (n - len(kinds))
    return np.array(kinds)[rng.permutation(n)]


def _campaigns(config: WorldConfig, cohort: int, traits: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """An eighth of the KOLs run one campaign each, for a day or two, with a known lift of engagement."""
    members = traits.height
    n = max(1, members // CAMPAIGN_EVERY)
    chosen = np.sort(rng.choice(members, n, replace=False))
    first = rng.integers(0, max(1, config.hours - 24), n)
    length = rng.integers(12, 49, n)
    start = [config.start + timedelta(hours=int(h)) for h in first]
    end = [at + timedelta(hours=int(h)) for at, h in zip(start, length, strict=True)]
    return pl.DataFrame(
        {
            "campaign_id": [f"cmp_{cohort * (COHORT // CAMPAIGN_EVERY) + i:05d}" for i in range(n)],
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

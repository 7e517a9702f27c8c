"""A seeded world of KOLs, honest and not, whose events are exact for a configuration."""

from kolray.connectors.generator.config import FRAUD_TYPES, Difficulty, WorldConfig
from kolray.connectors.generator.stream import EventBatch, RawRecord, batches
from kolray.connectors.generator.world import World, build_world

__all__ = ["FRAUD_TYPES", "Difficulty", "EventBatch", "RawRecord", "World", "WorldConfig", "batches", "build_world"]

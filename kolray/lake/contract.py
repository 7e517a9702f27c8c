"""Which fields beyond the contract the writers of the raw topics fill, and whether the lake can take them."""

from __future__ import annotations

from kolray.events import RAW_TOPICS, SCHEMAS, Columns, Kind
from kolray.lake.tables import TABLES, LakeTables
from kolray.schemas.evolution import agree
from kolray.schemas.registry import Registry

_WORK = {"kafka_ms", "reason", "rules", "said", "advertises", "author_kols"}
"""Columns that rows have for a while only."""


def reserved(kind: Kind) -> set[str]:
    """Names that no field of an event may have: the lake's own columns."""
    return {*TABLES[f"bronze.{kind}"], *TABLES[f"silver.{kind}"], *_WORK} - set(SCHEMAS[kind])


def read_contract(registry: Registry, tables: LakeTables) -> dict[Kind, Columns]:
    """Columns beyond ``SCHEMAS`` by kind, from all schemas registered for the raw topics.

    Raises:
        SchemaError: one of them breaks the contract, or what bronze holds.
    """
    return {
        kind: agree(kind, registry.versions(topic), tables.added_columns(f"bronze.{kind}"), reserved(kind))
        for kind, topic in RAW_TOPICS.items()
    }

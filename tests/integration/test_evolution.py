"""A field that a new writer adds reaches silver; a breaking schema stops bronze before it writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kolray.clock import SystemClock, to_ms
from kolray.connectors.producer import EventProducer
from kolray.errors import SchemaError
from kolray.events import SCHEMAS, SOCIAL_TOPIC
from kolray.lake.bronze_pipeline import run_bronze
from kolray.lake.silver_pipeline import run_silver
from kolray.lake.sql import query
from kolray.lake.tables import LakeTables
from kolray.schemas.registry import open_registry
from kolray.settings import RegistrySettings, Settings
from kolray.testing.registry import MemoryRegistry
from tests.writers import changed, value_of

pytestmark = pytest.mark.usefixtures("cluster")
SUBJECT = f"{SOCIAL_TOPIC}-value"


@pytest.fixture
def server() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    """One social event with times in milliseconds."""
    needed = {"event_id": event_id, "kol_id": "kol_1", "platform": "tiktok", "event_type": "comment"}
    return dict.fromkeys(SCHEMAS["social"]) | needed | {"event_time": to_ms(SystemClock().now())} | fields


def test_a_new_field_reaches_silver_and_a_breaking_schema_writes_nothing(
    embedded: Settings, server: MemoryRegistry
) -> None:
    settings = embedded.model_copy(update={"registry": RegistrySettings(url=server.url)})
    producer = EventProducer(settings.kafka, open_registry(server.url))
    producer.send("social", pl.DataFrame([event("old", text="follow me back", post_id="p")], schema=SCHEMAS["social"]))
    producer.flush()
    run_bronze(settings)
    assert run_silver(settings) == {"silver.social": 1}

    new = changed("social", add={"name": "saves", "type": ["null", "long"], "default": None})
    number = server.register(SUBJECT, new)
    producer.send_raw(SOCIAL_TOPIC, b"kol_1", value_of(number, new, event("new", saves=7, text="hay quá")))
    producer.flush()
    assert run_bronze(settings) == {"bronze.social": 1}
    assert run_silver(settings) == {"silver.social": 1}
    tables = LakeTables(settings.lake_root)
    for table in ("bronze.social", "silver.social"):
        assert dict(tables.scan(table).select("event_id", "saves").collect().iter_rows()) == {"old": None, "new": 7}
    [row] = query(settings.lake_root, "SELECT sum(saves) AS saves, max(spam) AS spam FROM silver.social").to_dicts()
    assert (row["saves"], round(row["spam"], 2)) == (7, 0.9)
    [found] = query(
        settings.lake_root, "SELECT sum(failed) AS n FROM silver.quality WHERE rule = 'missing.post_id'"
    ).rows()
    assert found == (1,)

    server.register(SUBJECT, changed("social", retype={"likes": ["null", "string"]}))
    producer.send_raw(SOCIAL_TOPIC, b"kol_1", value_of(number, new, event("kept")))
    producer.flush()
    before = {file: file.stat().st_mtime_ns for file in Path(settings.lake_root).rglob("*")}
    with pytest.raises(
        SchemaError, match=r"events.social.raw-value .* likes is text, not integer. Nothing was written"
    ):
        run_bronze(settings)
    assert {file: file.stat().st_mtime_ns for file in Path(settings.lake_root).rglob("*")} == before

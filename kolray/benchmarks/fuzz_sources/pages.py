"""Hostile hits to the routes of tracked pages; what they accept goes the whole way, but for the broker."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import polars as pl
from fastapi import FastAPI
from kafka import TopicPartition
from kafka.record import MemoryRecords

from kolray.benchmarks.fuzz_sources.hostile import Hostile
from kolray.clock import SystemClock, to_ms
from kolray.connectors.record_batches import record_batches
from kolray.events import RAW_TOPICS
from kolray.schemas.columns import AvroColumns
from kolray.schemas.registry import FileRegistry, packaged_schema
from kolray.serving import problems
from kolray.serving.tracking.journal import Journal
from kolray.serving.tracking.links import Links
from kolray.serving.tracking.outbox import Outbox
from kolray.serving.tracking.routes import tracking_routes
from kolray.serving.tracking.tracker import Tracker
from kolray.stream.decode import BatchDecoder
from kolray.stream.fetch import raw_batch

ROOM = 1 << 34
REFUSALS = (400, 413, 422)
"""What a request may be answered by beside 200 (the pixel) and 202 (the collector); docs/sources.md names them."""
AGENT = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36"
HIT = {
    "kol_id": "kol_1", "campaign_id": "c1", "event_type": "click", "event_id": "e",
    "url": "https://shop.example/p?utm_campaign=c",
    "value": 12.5, "currency": "EUR", "consent": True, "age_ms": 10,
}  # fmt: skip

Answer = tuple[int, bytes, dict[bytes, bytes]]
"""Status (0: none, it raised), body and headers."""


class PageFuzz:
    """Asks the routes in this process. ``outcomes``: hits by what became of them; ``crashes``: requests that raised."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._hostile, self._registry = Hostile(seed), FileRegistry()
        self._decoder = BatchDecoder(self._registry)
        self.outcomes: Counter[str] = Counter()
        self.crashes: list[str] = []
        self.kept: Counter[str] = Counter()
        self._asked = 0
        self._outbox = Outbox(Journal(folder, ROOM), self._through)
        self._app = FastAPI()
        problems.install(self._app)
        self._tracker = Tracker(self._outbox, b"fuzz", SystemClock())
        self._app.router.routes[:0] = tracking_routes(self._tracker, Links("fuzz"), 1)

    def _through(self, events: pl.DataFrame) -> None:
        """Written as the producer writes, read as the stream reads: every event is counted, or a dead letter."""
        columns = AvroColumns.of(events, packaged_schema(RAW_TOPICS["web"]))
        now = np.full(events.height, to_ms(SystemClock().now()), np.int64)
        for batch in record_batches(columns, now, self._registry.id_for(RAW_TOPICS["web"]), 1):
            read = MemoryRecords(batch.records.buffer()).next_batch()
            found = self._decoder.decode("web", [raw_batch(TopicPartition(RAW_TOPICS["web"], 0), read, 0)])
            self.kept.update({"events": found.frame.height, "dead_letters": found.rejected.height})

    def run(self, payloads: int) -> None:
        """So many hits, half of them of pixels, half collected; returns when all that was accepted went through."""
        asyncio.run(self._ask(payloads))
        self._outbox.close(wait_s=120)

    @property
    def accepted(self) -> int:
        """Hits that were promised to be kept."""
        return self._tracker.counts["accepted"]

    def lost(self, payloads: int) -> list[str]:
        """Hits, each a request but for torn ones, of which nobody can say what became."""
        odd = [f"{n} requests answered by {name}" for name, n in self.outcomes.items() if name.startswith("status")]
        told = self.outcomes.total() + len(self.crashes)
        if told < payloads:
            odd.append(f"{payloads - told} hits without an answer")
        if self.kept.total() != self.accepted:
            odd.append(f"{self.accepted} hits accepted, {self.kept.total()} written and read again")
        return odd

    async def _ask(self, payloads: int) -> None:
        for number in range(payloads):
            changed = self._hostile.changed(HIT | {"event_id": f"e{number}"})
            if number % 2:
                await self._pixel(changed)
            else:
                await self._collect(self._hostile.written(changed))

    async def _pixel(self, said: dict[str, Any]) -> None:
        texts = ((name, value if isinstance(value, str) else json.dumps(value)) for name, value in said.items())
        query = "&".join(f"{name}={quote(text, errors='surrogatepass')}" for name, text in texts)
        status, _, headers = await self._request("GET", "/pixel.gif", query.encode(), b"")
        self._judge(status, 200, {"refused" if b"x-refused" in headers else "taken": 1})

    async def _collect(self, body: bytes) -> None:
        if self._hostile.chance.random() < 0.2:
            body = self._hostile.bytes(body)
        status, answer, _ = await self._request("POST", "/collect", b"", body)
        told = json.loads(answer) if status == 202 else {}
        counts = {"taken": told.get("accepted", 0) + told.get("filtered", 0), "refused": len(told.get("refused", ()))}
        self._judge(status, 202, counts)

    def _judge(self, status: int, good: int, counts: dict[str, int]) -> None:
        if status == good:
            self.outcomes.update(counts)
        elif status in REFUSALS:
            self.outcomes["refused"] += 1
        else:
            self.outcomes[f"status {status}"] += 1

    async def _request(self, method: str, path: str, query: bytes, body: bytes) -> Answer:
        self._asked += 1
        address = f"10.{self._asked >> 16 & 255}.{self._asked >> 8 & 255}.{self._asked & 255}"  # nobody comes again
        headers = [(b"user-agent", AGENT.encode()), (b"x-forwarded-for", address.encode())]
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path, "root_path": "",
            "raw_path": path.encode(), "query_string": query, "headers": headers, "client": ("127.0.0.1", 1),
            "server": None,
        }  # fmt: skip
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        try:
            await self._app(scope, receive, send)
        except Exception as error:  # any is a finding
            self.crashes.append(f"{type(error).__name__}: {error} of {query or body!r}"[:300])
            return 0, b"", {}
        return sent[0]["status"], b"".join(part.get("body", b"") for part in sent[1:]), dict(sent[0]["headers"])

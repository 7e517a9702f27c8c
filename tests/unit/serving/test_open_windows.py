"""Windows that are still open, from the panes the stream wrote so far."""

from __future__ import annotations

import polars as pl

from kolray.clock import from_ms
from kolray.serving.open_windows import with_open_windows
from kolray.stores.metrics import Version
from kolray.stream.visitors import with_visitors
from kolray.stream.windows import WindowSpec, pane_aggregate, pane_rows, windows_of
from kolray.testing.stores import MemoryStore
from tests.unit.stream.batches import T0, web_frame

PANE = 300_000
SPECS = [WindowSpec.parse(text) for text in ("5m", "15m/5m")]


def test_unique_visitors_of_open_windows_are_those_of_their_busiest_pane() -> None:
    #  pane          0      1        2 (open)
    #  visitors     a b     b      a b c
    #  15m/5m  [----closed------]
    seen = [(0, "a"), (0, "b"), (1, "b"), (2, "a"), (2, "b"), (2, "c")]
    web = web_frame([{"event_time": T0 + pane * PANE, "visitor": visitor} for pane, visitor in seen])
    store = MemoryStore()
    panes = with_visitors(pane_rows(pane_aggregate("web", web, PANE)), web, SPECS)
    store.upsert_windows(panes, Version(1, 1))
    early = web.filter(pl.col("event_time") < from_ms(T0 + 2 * PANE))
    rows = with_visitors(windows_of(pane_aggregate("web", early, PANE), SPECS[1], end_ms=T0 + 2 * PANE), early, SPECS)
    store.upsert_windows(rows, Version(1, 2))
    got = with_open_windows(store, "kol_1", "15m/5m", from_ms(T0 - 4 * PANE), from_ms(T0 + 9 * PANE))
    assert got.select("final", "web_events", "unique_visitors").rows() == [
        (True, 2, 2),
        (True, 3, 2),
        (False, 6, 3),
        (False, 4, 3),
        (False, 3, 3),
    ]
    alone = with_open_windows(store, "kol_1", "5m", from_ms(T0), from_ms(T0 + 9 * PANE))
    assert alone["unique_visitors"].to_list() == [2, 1, 3]

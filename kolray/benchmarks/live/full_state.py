"""How large the state gets: every KOL active in every pane of the longest default window."""

from __future__ import annotations

from kolray.benchmarks.live.recovery import HOUR_MS, an_hour
from kolray.benchmarks.live.sending import Load
from kolray.benchmarks.live.slides import as_decoded
from kolray.settings import StreamSettings
from kolray.stream.state import new_state
from kolray.stream.windows import WindowSpec, pane_ms

END_MS = 1_760_003_700_000
"""A whole five minutes."""


def full_state_mb(n_kols: int = 100_000, partitions: int = 4) -> float:
    """Megabytes (2^20 bytes) of panes, duplicate filters and visitors of all partitions, one event a KOL and pane.

    Default windows, an hour of event time.
    """
    settings = StreamSettings(disorder_s=2 * HOUR_MS / 1000)  # nothing closes, nothing is forgotten
    panes = HOUR_MS // pane_ms(WindowSpec.parse(text) for text in settings.windows)
    total = 0
    for number in range(partitions):
        load = Load(rate=1, seconds=1, n_kols=n_kols // partitions, run=f"p{number}-")
        state = new_state(settings)
        for kind, frame in an_hour(load, panes, END_MS):
            state.on_events(kind, as_decoded(kind, frame), END_MS)
        state.settled_panes()
        total += state.size_bytes
    return round(total / (1 << 20), 1)

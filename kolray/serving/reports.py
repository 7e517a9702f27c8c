"""``ReportData`` over the stores, the lake and the registry."""

from __future__ import annotations

from kolray.errors import ServiceUnavailableError
from kolray.serving.dashboard.report_data import StreamPage
from kolray.serving.progress import stream_now
from kolray.serving.scoring import ScoringGraph


class LiveReports:
    """What the pages beyond KOLs and alerts show."""

    def __init__(self, graph: ScoringGraph) -> None:
        self._graph = graph

    def stream(self) -> StreamPage | None:
        """From Redis; None while it is away."""
        try:
            now = stream_now(self._graph.lookup, self._graph.clock)
        except ServiceUnavailableError:
            return None
        if now is None:
            return None
        return StreamPage(now.progress, [p.events_per_s for p in now.paces], [p.lag for p in now.paces])

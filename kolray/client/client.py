"""Requests and answers of the API as the contract's own types; thin over httpx."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from kolray.client.asking import Asker
from kolray.client.events import follow
from kolray.serving.contracts import (
    Alert,
    AlertsAnswer,
    BatchAnswer,
    ForecastAnswer,
    LiveWindow,
    MetricsAnswer,
    Ranked,
    RankingAnswer,
    ScoreAnswer,
    Window,
)
from kolray.stores.rankings import RankBy

Answer = TypeVar("Answer", bound=BaseModel)
PAGE = 1000


class Client:
    """One API and one token. May be shared by threads; a context manager closes its connections.

    Every method raises ``NotFoundError`` for what the API does not know, ``InvalidInputError`` for a request or a token
    that it refuses, and ``ServiceUnavailableError`` when it does not answer, or is too busy even after ``tries``.

    Args:
        url: of the API, such as ``http://127.0.0.1:8000``.
        token: from ``kolray tokens create``.
        timeout_s: seconds an answer may take.
        tries: how often a request is sent that is answered by 429, 503 or 408, or not at all, as ``Retry-After`` says.
        transport: of httpx, for tests.
    """

    def __init__(
        self, url: str, token: str, timeout_s: float = 30, tries: int = 5, transport: httpx.BaseTransport | None = None
    ) -> None:
        header = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=header, timeout=timeout_s, transport=transport)
        self._asker = Asker(self._http, url, tries)

    def score(self, kol_id: str, as_of: datetime | None = None, *, explain: bool = False) -> ScoreAnswer:
        """How far to trust a KOL's audience, 0–100; now, or as it was known at ``as_of``."""
        body = {"kol_id": kol_id, "as_of": as_of and as_of.isoformat(), "explain": explain}
        return self._ask(ScoreAnswer, "POST", "/kol/score", json=body)

    def score_batch(self, kol_ids: Sequence[str]) -> BatchAnswer:
        """The same of up to 1,000 KOLs at once; who has no score has an error in its place."""
        return self._ask(BatchAnswer, "POST", "/kol/score/batch", json={"kol_ids": list(kol_ids)})

    def forecast(self, kol_id: str, metric: str = "engagement", horizon_h: int = 24) -> ForecastAnswer:
        """The next hours of a metric, with 90 % intervals."""
        body = {"kol_id": kol_id, "metric": metric, "horizon_h": horizon_h}
        return self._ask(ForecastAnswer, "POST", "/forecast/predict", json=body)

    def metrics(
        self, kol_id: str, window: Window = "5m", start: datetime | None = None, end: datetime | None = None
    ) -> list[dict[str, Any]]:
        """Window rows, oldest first, of every page; by default of the last day."""
        rows: list[dict[str, Any]] = []
        while True:
            asked = _given(window=window, **{"from": start, "to": end})
            page = self._ask(MetricsAnswer, "GET", f"/kol/{httpx.URL(path=kol_id).path}/metrics", params=asked)
            rows += page.windows
            if page.next is None:
                return rows
            start = page.next

    def rankings(
        self,
        by: RankBy = "trust",
        platform: str | None = None,
        category: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> RankingAnswer:
        """A page of a ranking, best first."""
        asked = _given(by=by, platform=platform, category=category, limit=limit, offset=offset)
        return self._ask(RankingAnswer, "GET", "/rankings", params=asked)

    def ranked(
        self, by: RankBy = "trust", platform: str | None = None, category: str | None = None
    ) -> Iterator[Ranked]:
        """Everyone of a ranking, page by page."""
        offset: int | None = 0
        while offset is not None:
            page = self.rankings(by, platform, category, PAGE, offset)
            yield from page.ranking
            offset = page.next

    def alerts(self, kol_id: str | None = None, since: datetime | None = None, limit: int = 100) -> list[Alert]:
        """Alerts, newest first."""
        asked = _given(kol_id=kol_id, since=since, limit=limit)
        return self._ask(AlertsAnswer, "GET", "/alerts", params=asked).alerts

    def live_alerts(self, kol_ids: Sequence[str] = (), since: str | None = None) -> Iterator[tuple[str, Alert]]:
        """(place, alert) as they are raised, without end; ``since``: the place of the last one that was seen.

        An alert may come twice: ``alert_id`` tells.
        """
        for place, text in follow(self._http, self._asker, "/live/alerts", kol_ids, since):
            yield place, Alert.model_validate_json(text)

    def live_windows(self, kol_ids: Sequence[str], since: str | None = None) -> Iterator[LiveWindow]:
        """The newest windows of up to 50 KOLs whenever they change, without end."""
        for _, text in follow(self._http, self._asker, "/live/metrics", kol_ids, since):
            yield LiveWindow.model_validate_json(text)

    def _ask(self, model: type[Answer], method: str, path: str, **request: Any) -> Answer:
        return model.model_validate_json(self._asker.ask(method, path, **request).content)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _given(**asked: Any) -> dict[str, Any]:
    given = {name: value for name, value in asked.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}

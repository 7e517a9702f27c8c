"""The client and ``kolray top`` against the application itself: typed answers, errors, second tries, streams."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

import httpx
import pytest

from kolray.cli.top import Seen, view
from kolray.client import Client
from kolray.errors import InvalidInputError, NotFoundError, ServiceUnavailableError
from kolray.serving.contracts import Alert, LiveWindow, RankingAnswer

NOW = datetime(2026, 3, 12, 9, 30, tzinfo=UTC)
ROWS = [{"rank": i, "kol_id": f"k{i}", "value": 9.0 - i, "platform": "tiktok", "category": None} for i in (1, 2, 3)]
ALERT = {
    "alert_id": "a1", "rule": "spike", "kol_id": "k1", "window": "1h", "window_start": NOW.isoformat(),
    "severity": "high", "evidence": {"value": 5.5, "sigmas": None, "windows_of_history": 71}, "at": NOW.isoformat(),
}  # fmt: skip
PROBLEM = {"title": "T", "detail": "nothing is known about the KOL 'x'", "request_id": "r1"}
EVENT = "id: {id}\nevent: alert\ndata: {data}\n\n"


class Api:
    """Answers as it is told; keeps what it was asked."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.asked = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answers.pop(0)


def client(api: Api, tries: int = 5) -> Client:
    return Client("http://api", "secret", tries=tries, transport=httpx.MockTransport(api))


def page(rows: list[dict[str, object]], following: int | None) -> httpx.Response:
    whole = {"by": "trust", "platform": None, "category": None, "total": 3, "ranking": rows, "next": following}
    return httpx.Response(200, json=whole)


def test_a_busy_api_is_asked_again_and_a_ranking_is_read_to_its_end() -> None:
    api = Api(httpx.Response(429, headers={"Retry-After": "0"}, json=PROBLEM), page(ROWS[:2], 2), page(ROWS[2:], None))
    assert [row.kol_id for row in client(api).ranked()] == ["k1", "k2", "k3"]
    assert [dict(request.url.params)["offset"] for request in api.asked] == ["0", "0", "2"]
    assert api.asked[0].headers["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFoundError), (422, InvalidInputError), (401, InvalidInputError), (500, ServiceUnavailableError)],
)
def test_a_refusal_is_an_error_of_kolray_with_the_request_id(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"nothing is known about the KOL 'x' \(request r1\)"):
        client(Api(httpx.Response(status, json=PROBLEM))).score("x")


def test_an_api_that_stays_busy_or_away_is_named() -> None:
    busy = [httpx.Response(503, headers={"Retry-After": "0"}, text="no") for _ in range(2)]
    with pytest.raises(ServiceUnavailableError, match="The API does not answer at http://api: HTTP 503"):
        client(Api(*busy), tries=2).alerts()

    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(ServiceUnavailableError, match="refused; start it with `kolray serve`"):
        Client("http://api", "t", tries=1, transport=httpx.MockTransport(away)).score_batch(["a"])


def test_a_stream_that_ends_goes_on_behind_its_last_event() -> None:
    def stream(*ids: str) -> httpx.Response:
        text = "".join(EVENT.format(id=i, data=Alert(**ALERT | {"alert_id": i}).model_dump_json()) for i in ids)
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, text=": hello\n\n" + text)

    api = Api(stream("1-0", "2-0"), httpx.Response(503, headers={"Retry-After": "0"}), stream("3-0"))
    told = list(islice(client(api).live_alerts(["k1"]), 3))
    assert [place for place, _ in told] == ["1-0", "2-0", "3-0"]
    assert [request.headers.get("Last-Event-ID") for request in api.asked] == [None, "2-0", "2-0"]
    assert api.asked[0].url.params["kol_id"] == "k1"


def test_the_terminal_shows_ranking_windows_and_alerts(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    seen = Seen(RankingAnswer.model_validate_json(page(ROWS, None).content))
    counts = {"events": 4, "impressions": 100, "likes": 1200, "comments": 2, "shares": 3, "followers_last": 9}
    ratios = {"engagement_rate": 0.125, "sentiment_ratio": None}
    window = LiveWindow(kol_id="k2", window="pane", window_start=NOW, final=False, **counts, **ratios)
    seen.windows["k2", "pane"] = window
    for _ in range(2):
        seen.add_alert(Alert(**ALERT))
    Console(width=110).print(view(seen, "trust"))
    shown = capsys.readouterr().out
    for text in ("k1", "1,200", "12.5%", "spike", "value 5.5", "3 KOLs", "09:30"):
        assert text in shown, text
    assert shown.count("spike") == 1
    assert "sigmas" not in shown

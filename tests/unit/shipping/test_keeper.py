"""What `kolray keep` does on a cluster, as far as Ray's dashboard shows it. A real one: tests/heavy/test_keep.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from kolray.cli.keep import _try
from kolray.clock import to_ms
from kolray.errors import InvalidInputError
from kolray.local import keeper
from kolray.local.keeper import JOB, Keeper, Kept, api_trouble
from kolray.testing.clock import FakeClock

SERVE = {"applications": [{"name": "kolray", "import_path": "kolray.serving.deployments:app"}]}
KEPT = Kept(SERVE, "python jobs/stream.py", "http://api")


class Dashboard:
    """Of a head that remembers what it was told until it begins anew."""

    def __init__(self) -> None:
        self.applications: dict[str, Any] = {}
        self.jobs: dict[str, Any] = {}
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method != "GET":
            self.asked.append(f"{request.method} {request.url.path}")
        return self._serve(request) if request.url.path.startswith("/api/serve/") else self._job(request)

    def _serve(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            told = json.loads(request.content)["applications"]
            self.applications |= {application["name"]: {"status": "DEPLOYING"} for application in told}
        if request.method == "DELETE":
            self.applications.clear()
        return httpx.Response(200, json={"applications": self.applications})

    def _job(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            told = json.loads(request.content)
            self.jobs[told["submission_id"]] = {"status": "PENDING", "entrypoint": told["entrypoint"]}
        name = request.url.path.removeprefix("/api/jobs/")
        if request.method == "DELETE":
            del self.jobs[name]
        if request.method == "GET" and name not in self.jobs:
            return httpx.Response(404, text="no such job")
        return httpx.Response(200, json=self.jobs.get(name, {}))

    def starts_anew(self) -> None:
        self.applications.clear()
        self.jobs.clear()
        self.asked.clear()


@pytest.fixture
def dashboard() -> Dashboard:
    return Dashboard()


@pytest.fixture
def kept(dashboard: Dashboard) -> Keeper:
    return Keeper(httpx.Client(base_url="http://ray", transport=httpx.MockTransport(dashboard)), KEPT)


def test_what_is_missing_is_deployed_once(kept: Keeper, dashboard: Dashboard) -> None:
    assert kept.keep() == ["the API was deployed (missing: kolray)", "the stream was submitted (before: unknown)"]
    assert dashboard.jobs[JOB]["entrypoint"] == "python jobs/stream.py"
    dashboard.jobs[JOB]["status"] = "RUNNING"
    assert kept.keep() == []
    assert dashboard.asked == ["PUT /api/serve/applications/", "POST /api/jobs/"]


def test_a_head_that_began_anew_gets_both_again(kept: Keeper, dashboard: Dashboard) -> None:
    kept.keep()
    dashboard.starts_anew()
    assert len(kept.keep()) == 2
    assert set(dashboard.applications) == {"kolray"}
    assert JOB in dashboard.jobs


@pytest.mark.parametrize("status", ["FAILED", "STOPPED", "SUCCEEDED"])
def test_a_stream_that_ended_is_submitted_again(kept: Keeper, dashboard: Dashboard, status: str) -> None:
    kept.keep()
    dashboard.jobs[JOB] |= {"status": status, "message": "exit code 1"}
    assert kept.keep() == [f"the stream was submitted (before: {status} exit code 1)"]
    assert dashboard.jobs[JOB]["status"] == "PENDING"


@pytest.mark.parametrize("answers", [False, True])
def test_an_api_that_failed_is_removed_first_unless_it_answers(
    kept: Keeper, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    kept.keep()
    dashboard.asked.clear()
    dashboard.applications["kolray"]["status"] = "DEPLOY_FAILED"
    monkeypatch.setattr(keeper, "api_trouble", lambda _: None if answers else "refused")
    assert kept.keep() == ([] if answers else ["the API was deployed (DEPLOY_FAILED: kolray)"])
    assert dashboard.asked == ([] if answers else [f"{how} /api/serve/applications/" for how in ("DELETE", "PUT")])


def test_a_new_keeper_applies_its_configuration_to_what_runs(kept: Keeper, dashboard: Dashboard) -> None:
    dashboard.applications["kolray"] = {"status": "RUNNING"}
    dashboard.jobs[JOB] = {"status": "RUNNING"}
    assert kept.keep() == ["the API was deployed (missing: nothing)"]
    assert kept.keep() == []


def test_a_new_keeper_leaves_standing_what_answers_though_its_last_update_failed(
    kept: Keeper, dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard.applications["kolray"] = {"status": "DEPLOY_FAILED"}
    dashboard.jobs[JOB] = {"status": "RUNNING"}
    monkeypatch.setattr(keeper, "api_trouble", lambda _: None)
    assert kept.keep() == ["the API was deployed (missing: nothing)"]
    assert dashboard.asked == ["PUT /api/serve/applications/"]


def test_the_night_is_submitted_once_a_day_and_goes_on_after_it_failed(dashboard: Dashboard) -> None:
    clock = FakeClock(datetime(2026, 3, 1, 10, tzinfo=UTC))
    wanted = Kept(SERVE, "python jobs/stream.py", "http://api", "python jobs/nightly.py")
    kept = Keeper(httpx.Client(base_url="http://ray", transport=httpx.MockTransport(dashboard)), wanted, clock)
    assert len(kept.keep()) == 2, "today's began before"
    clock.advance(14 * 3600)
    assert kept.keep() == [], "at midnight events of the day may still come"
    clock.advance(1800)
    assert kept.keep() == ["the night of 2026-03-02 was submitted (before: unknown)"]
    night = dashboard.jobs["kolray-night-2026-03-02"]
    assert night["entrypoint"] == "python jobs/nightly.py 2026-03-02"
    assert kept.keep() == []
    night |= {"status": "FAILED", "end_time": to_ms(clock.now())}
    assert kept.keep() == []
    clock.advance(900)
    assert kept.keep() == ["the night of 2026-03-02 was submitted (before: FAILED)"]
    dashboard.jobs["kolray-night-2026-03-02"]["status"] = "SUCCEEDED"
    assert kept.keep() == []
    clock.advance(24 * 3600)
    assert kept.keep() == ["the night of 2026-03-03 was submitted (before: unknown)"]


def test_what_goes_wrong_ends_nothing_and_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    def away() -> list[str]:
        raise RuntimeError("a bucket\nthat is away")

    told = _try(away, "")
    assert told == _try(away, told) == "not yet: RuntimeError: a bucket that is away"
    assert _try(lambda: ["the API was deployed"], told) == ""
    assert capsys.readouterr() == ("the API was deployed\n", f"{told}\n")


def test_what_ray_refuses_is_told_in_its_words() -> None:
    refuses = httpx.MockTransport(lambda _: httpx.Response(401, text="who?"))
    with pytest.raises(httpx.HTTPStatusError, match=r"/api/serve/applications/ answered 401: who\?"):
        Keeper(httpx.Client(base_url="http://ray", transport=refuses), KEPT).keep()


def test_a_configuration_without_applications_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"serve_configs/prod\.yaml"):
        Kept({"http_options": {}}, "true", "http://api")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (httpx.Response(200, json={"ready": True, "metrics_store": "ok", "redis": "ok"}), None),
        (httpx.Response(503, json={"ready": False, "models": {}, "metrics_store": "ok", "redis": "ok"}), None),
        (httpx.Response(503, json={"ready": False, "metrics_store": "ok", "redis": "away"}), "away: redis"),
        (httpx.Response(503, text="no replica"), "http://api/readyz: "),
    ],
)
def test_an_api_without_a_model_is_no_trouble(
    answer: httpx.Response, trouble: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpx, "get", lambda *_, **__: answer)
    told = api_trouble("http://api")
    assert (told is None) == (trouble is None)
    assert (trouble or "") in (told or "")

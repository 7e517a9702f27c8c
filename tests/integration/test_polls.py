"""A poll of a fake platform over HTTP arrives at a real broker, once, whatever is polled again."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.connectors.reading import committed
from kolray.settings import Settings
from kolray.testing.clock import FakeClock
from kolray.testing.platforms import FakeWorld, Faults, fake_weibo
from kolray.testing.platforms.weibo import TOKEN, uid


def test_a_poll_arrives_at_the_broker_and_the_plan_knows_of_it(
    embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(embedded.home))
    monkeypatch.setenv("KOLRAY_WEIBO__ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("KOLRAY_WEIBO__UNITS", "30")
    world, faults = FakeWorld(1, FakeClock(), n_accounts=2, n_posts=4), Faults()
    places = [("events.social.raw", number) for number in range(embedded.kafka.partitions)]

    def told(*words: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            CliRunner().invoke(app, ["ingest", *words, "--json"], catch_exceptions=False).stdout
        )
        return found

    with fake_weibo(world, faults) as url:
        monkeypatch.setenv("KOLRAY_WEIBO__BASE_URL", url)
        counts = told("weibo", "--uid", uid(0))
        assert counts["profile"] == 1
        assert told("weibo", "--uid", uid(0)) == {}
        assert told("weibo", "--due") == {}
    assert len(list(committed(embedded.kafka, places))) == sum(counts.values())  # type: ignore[arg-type]
    plan = told("plan", "--platform", "weibo")
    assert 30 - sum(faults.spent.values()) == plan["units_left"]
    [account] = plan["accounts"]  # type: ignore[misc]
    assert account["account_id"] == uid(0)
    assert account["cost"] > 1

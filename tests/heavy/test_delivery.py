"""Good and bad challengers, delivered while two replicas are asked: the ones are promoted, the others taken back."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from kolray import local
from kolray.cli.main import app as cli
from kolray.errors import InvalidInputError
from kolray.lake.reference import current
from kolray.models import delivery
from kolray.models.audit import history
from kolray.models.delivery.outcomes import HELD_BACK
from kolray.models.drift import Reference
from kolray.models.lifecycle import complete_hours, newest_features, register, train
from kolray.models.monitor import AtTraining
from kolray.models.registry import CHAMPION, ModelRegistry
from kolray.models.success import train_success
from kolray.models.trust import train_trust
from kolray.serving.build import build
from kolray.serving.tokens import Tokens
from kolray.settings import Settings
from kolray.stores.trials import TrialLog
from tests.clients import Clients
from tests.served import served_home
from tests.waiting import until

pytestmark = pytest.mark.heavy
KOLS = [f"kol-{n:04d}" for n in range(240)]
FORECAST = set(KOLS[:60])
"""Those with hours, which a forecast needs."""
PLAN = delivery.Plan(percent=30, minutes=2, answers=10)
SWITCHED_S = 10


class Asked(Clients):
    """Two replicas, each asked by a client without end for every KOL in turn; statuses are counted."""

    def __init__(self, settings: Settings) -> None:
        token = Tokens.of(settings).create("asked", ("score", "read"), 10**6)
        self._headers = {"Authorization": f"Bearer {token}"}
        self.statuses: Counter[str] = Counter()
        super().__init__(*(partial(self._ask, TestClient(build(settings))) for _ in range(2)))

    def _ask(self, replica: TestClient) -> None:
        for kol_id in itertools.cycle(KOLS):
            if self.stopped.wait(0.01):
                return
            answers = [
                replica.post("/kol/score", json={"kol_id": kol_id}, headers=self._headers),
                replica.post("/forecast/predict", json={"kol_id": kol_id}, headers=self._headers),
            ]
            hours = "" if kol_id in FORECAST else " without hours"
            self.statuses.update(f"{each.status_code} {each.url.path.rsplit('/', 1)[-1]}{hours}" for each in answers)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    home = tmp_path_factory.mktemp("delivery")
    settings = served_home(home)
    number = pl.col("kol_id").str.slice(4).cast(pl.Int64)
    flipped = pl.when(number * 7919 % 97 < 11).then(1 - pl.col("label")).otherwise("label").cast(pl.Int8)
    path = f"{settings.lake_root}/ref/labels"  # no single feature tells a label for certain
    pl.read_delta(path).with_columns(label=flipped).write_delta(path, mode="overwrite")
    yield settings
    local.down(home)


@pytest.fixture(scope="module")
def asked(settings: Settings) -> Iterator[Asked]:
    with Asked(settings) as running:
        yield running
    assert running.statuses["200 score"] > len(KOLS)
    answered = {"200 score", "200 predict", "200 score without hours", "404 predict without hours"}
    assert set(running.statuses) == answered, running.statuses


def _misled(settings: Settings) -> int:
    """A trust model that learnt from labels the wrong way round, registered; on its own fold of them it looks well."""
    features, labels = newest_features(settings.lake_root), current(settings.lake_root, "labels")
    wrong = labels.with_columns(label=(1 - pl.col("label")).cast(pl.Int8))
    trained = train_trust(features, wrong, 7).among(features, {}, 7)
    assert trained.report.beats_baseline
    return register(ModelRegistry.of(settings), "trust", trained)


def test_a_misled_challenger_is_taken_back_and_a_good_one_promoted(settings: Settings, asked: Asked) -> None:
    registry = ModelRegistry.of(settings)
    misled = _misled(settings)
    done = delivery.deliver(settings, "trust", PLAN, misled, lambda _: None)
    assert (done.outcome, done.version, done.champion) == ("rolled_back", misled, 1)
    assert done.gain < 0
    assert done.switched_s is not None
    assert done.switched_s < SWITCHED_S
    assert registry.alias_version("trust", CHAMPION) == 1

    registry.set_alias("trust", misled, CHAMPION)
    done = delivery.deliver(settings, "trust", PLAN, say=lambda _: None)
    assert (done.outcome, done.champion) == ("promoted", misled)
    assert registry.alias_version("trust", CHAMPION) == done.version
    assert done.switched_s is not None
    assert done.switched_s < SWITCHED_S
    assert [step["step"] for step in done.steps] == ["validated", "canary", "promoted"]
    assert [row["step"] for row in history(registry, "trust")] == ["promoted", "rolled_back", "promoted"]


def test_a_forecaster_is_judged_by_a_day_it_did_not_learn_from(settings: Settings, asked: Asked) -> None:
    registry = ModelRegistry.of(settings)
    learnt_all = register(registry, "success", train("success", settings.lake_root))
    with pytest.raises(InvalidInputError, match="learnt the hours up to"):
        delivery.deliver(settings, "success", PLAN, learnt_all)
    no_rhythm = _without_rhythm(settings)
    registry.set_alias("success", no_rhythm, CHAMPION)
    done = delivery.deliver(settings, "success", PLAN, say=lambda _: None)
    assert (done.outcome, registry.alias_version("success", CHAMPION)) == ("promoted", done.version), done.reason
    assert done.kols <= len(FORECAST)
    assert done.switched_s is not None
    assert done.switched_s < SWITCHED_S

    back = delivery.deliver(settings, "success", PLAN, no_rhythm, say=lambda _: None)
    assert (back.outcome, registry.alias_version("success", CHAMPION)) == ("rolled_back", done.version), back.reason
    assert "worse than the champion" in back.reason
    assert back.switched_s is not None
    assert back.switched_s < SWITCHED_S


def _without_rhythm(settings: Settings) -> int:
    """A forecaster that learnt each KOL's hours in a wrong order, but for the newest day, registered."""
    hours = complete_hours(settings.lake_root)
    hours = hours.filter(pl.col("hour") <= pl.col("hour").max() - HELD_BACK["success"])
    counts = ("likes", "impressions", "web_clicks")
    trained = train_success(hours.with_columns(pl.col(name).shuffle(seed=7).over("kol_id") for name in counts), 7)
    return register(ModelRegistry.of(settings), "success", replace(trained, reference=AtTraining(Reference({}, {}))))


def _typed(settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("kolray"), "deliver", *words]
    own = {**os.environ, "KOLRAY_HOME": str(settings.home)}
    return subprocess.run(command, env=own, check=False, capture_output=True, text=True, timeout=240)


def test_one_stopped_by_the_command_is_not_promoted_and_the_next_is_not_disturbed(
    settings: Settings, asked: Asked
) -> None:
    registry, champion = ModelRegistry.of(settings), _misled(settings)
    registry.set_alias("trust", champion, CHAMPION)
    good = register(registry, "trust", train("trust", settings.lake_root))
    waits = replace(PLAN, answers=10**6, minutes=10)
    with ThreadPoolExecutor(1) as elsewhere:
        first = elsewhere.submit(delivery.deliver, settings, "trust", waits, good, lambda _: None)
        until("evidence of the trial", lambda: first.done() or _seen(settings, registry))
        assert not first.done(), first.result()
        stopped = _typed(settings, "trust", "--stop")
        assert f"trust {good} is taken back; trust {champion} answers alone" in stopped.stdout, stopped.stderr
        plan = ("--percent", "30", "--answers", "10", "--minutes", "5")
        typed = _typed(settings, "trust", "--challenger", str(good), *plan)
        done = first.result()
    assert (done.outcome, done.reason) == ("rolled_back", "taken back by hand")
    assert [step["step"] for step in done.steps] == ["validated", "canary", "stopped", "rolled_back"]
    assert f"trust {good}: promoted" in typed.stdout, typed.stderr
    assert (typed.returncode, registry.alias_version("trust", CHAMPION)) == (0, good)
    own = [row["step"] for row in history(registry, "trust") if row["version"] == good]
    assert own == ["rolled_back", "promoted"]


def _seen(settings: Settings, registry: ModelRegistry) -> bool:
    """Whether both models were heard of a third of the KOLs, which is enough to promote by."""
    trial = delivery.read_trial(registry, "trust")
    return trial is not None and len(TrialLog(settings.redis).read(trial.key)[1]) > len(KOLS) / 3


def test_the_command_shows_how_deliveries_ended_and_takes_back(
    settings: Settings, asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(settings.home))
    shown = CliRunner().invoke(cli, ["deliver", "trust", "--history", "--json"])
    assert json.loads(shown.output)[0]["steps"][-1]["step"] == "promoted"
    assert "first champion" in " ".join(CliRunner().invoke(cli, ["deliver", "success", "--history"]).output.split())
    ended = CliRunner().invoke(cli, ["deliver", "trust", "--stop"])
    assert "no trust model is on trial" in str(ended.exception)

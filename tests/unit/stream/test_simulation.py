"""Thousands of schedules of crashes, hangs, delays and moves change nothing, and a broken rule is always found."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from kolray.benchmarks.simulate.faults import BOUNDARIES, STRUCK
from kolray.benchmarks.simulate.parts import Known, Parts
from kolray.benchmarks.simulate.run import run, simulate
from kolray.benchmarks.simulate.scenario import HOT_RULES, Scenario, make_scenario
from kolray.cli.main import app
from tests.unit.stream.mutants import MUTANTS

SCHEDULES = 10_000
ENOUGH = 3_000
"""Schedules within which every mutant must be found."""


def rich_scenario() -> Scenario:
    """The first one with two partitions in which every fate and every alert occurs."""
    for seed in range(100):
        scenario = make_scenario(seed)
        rules = {rule for rule, _, _ in scenario.oracle.alerts}
        if scenario.partitions == 2 and len(scenario.oracle.counts) == 4 and len(rules) == len(HOT_RULES):
            return scenario
    pytest.fail("no scenario has everything a mutant might break")


@pytest.fixture(scope="module")
def known() -> Known:
    """One scenario, its steps remembered over all mutants: none of them changes the pure machine."""
    return Known(rich_scenario())


def test_no_schedule_loses_doubles_or_falsifies_anything() -> None:
    report = run(SCHEDULES)
    print(f"{report.schedules_per_second} schedules/s: {report.faults}")
    assert report.failed == {}
    assert (report.schedules, report.failures) == (SCHEDULES, 0)
    assert [name for name in STRUCK if not report.faults[name]] == []
    assert [name for name in BOUNDARIES if not report.boundaries[name]] == []


def test_a_seed_replays_exactly_its_schedule(known: Known) -> None:
    for seed in (3, 11):
        first = simulate(seed, known=known, traced=True)
        again = simulate(seed, known=Known(rich_scenario()), traced=True)
        assert first.trace == again.trace
        assert len(first.trace) > 20


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_found(name: str, known: Known) -> None:
    for seed in range(ENOUGH):
        outcome = simulate(seed, MUTANTS[name], known=known)
        if outcome.problems:
            print(f"{name}: found by schedule {seed + 1}: {outcome.problems[0]}")
            assert simulate(seed, MUTANTS[name], known=known).problems == outcome.problems
            assert simulate(seed, Parts(), known=known).problems == []
            return
    pytest.fail(f"{ENOUGH} schedules did not find: {name}")


def test_the_command_replays_a_seed_and_says_what_happened() -> None:
    done = CliRunner().invoke(app, ["bench", "simulate", "--seed", "3", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert any("save after" in line for line in told["trace"])

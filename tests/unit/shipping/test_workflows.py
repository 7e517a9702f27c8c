"""CI runs what a developer runs: each step of each workflow is a make target that exists, each action is pinned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import conftest

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job.get("steps", [])]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_steps_are_make_targets(file: Path) -> None:
    commands = [step["run"] for step in _steps(file) if "run" in step]
    assert commands
    for command in commands:
        make, *targets = command.split()
        assert make == "make"
        assert set(targets) <= TARGETS


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_actions_are_pinned_to_a_commit(file: Path) -> None:
    used = [step["uses"] for step in _steps(file) if "uses" in step]
    assert used
    assert [action for action in used if not re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", action)] == []


def test_a_release_waits_for_all_of_ci() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    assert workflow["jobs"]["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert workflow["jobs"]["release"]["needs"] == "ci"


def test_what_ci_calls_for_a_release_does_not_deploy() -> None:
    staging = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["staging"]
    assert "github.ref == 'refs/heads/main'" in staging["if"]


def test_suites_get_their_tools_and_may_not_skip() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert workflow["env"] == {"KOLRAY_SKIPS": "fail"}
    for job in ("test", "heavy"):
        assert next(step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step) == "make test-tools"


def test_staging_gets_every_secret_that_compose_asks_for() -> None:
    [step] = [
        step for step in _steps(ROOT / ".github" / "workflows" / "ci.yml") if step.get("run") == "make deploy-staging"
    ]
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    assert asked <= step["env"].keys()


@pytest.mark.parametrize(
    ("fails", "marker", "outcome"), [(True, "", "failed"), (True, "realdata", "skipped"), (False, "", "skipped")]
)
def test_a_skip_fails_where_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, *, fails: bool, marker: str, outcome: str
) -> None:
    monkeypatch.setattr(conftest, "SKIPS_FAIL", fails)
    if marker:
        request.node.add_marker(marker)
    made = conftest.pytest_runtest_makereport(request.node)
    next(made)
    report = pytest.TestReport("one", ("one.py", 1, "one"), {}, "skipped", ("one.py", 1, "no tool"), "call")
    with pytest.raises(StopIteration) as told:
        made.send(report)
    assert told.value.value.outcome == outcome


def test_each_target_of_the_makefile_is_explained() -> None:
    explained = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert explained == TARGETS

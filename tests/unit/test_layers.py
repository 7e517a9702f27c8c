"""Ray stays in its shells: everything else is importable, and testable, without it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
MAIN_SHELLS = {
    "kolray.stream.actors",
    "kolray.lake.spread",
    "kolray.lake.silver_pipeline",
    "kolray.models.trainers",
    "kolray.serving.deployments",
}
WALK = """
import importlib, pkgutil, sys
import kolray

shells = set(sys.argv[1:])
seen = []
for module in pkgutil.walk_packages(kolray.__path__, "kolray."):
    if module.name in shells or module.name == "kolray.__main__":
        continue
    importlib.import_module(module.name)
    seen.append(module.name)
    if "ray" in sys.modules:
        sys.exit(f"{module.name} imports ray")
print(*seen)
"""


def _shells() -> set[str]:
    """The modules that the layers' contract lets import ray."""
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    [rule] = [contract for contract in contracts if contract.get("forbidden_modules") == ["ray"]]
    return {line.split(" -> ")[0] for line in rule["ignore_imports"]}


def test_only_the_shells_import_ray() -> None:
    shells = _shells()
    assert shells >= MAIN_SHELLS
    done = subprocess.run([sys.executable, "-c", WALK, *shells], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = set(done.stdout.split())
    assert {"kolray.cli.main", "kolray.stream.shard", "kolray.lake.bronze", "kolray.testing.clock"} <= seen
    assert not seen & shells

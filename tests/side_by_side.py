"""Runs the suite as two pytest processes: many tests mostly wait for servers, so the others run beside them, nicely.

With ``--heavy`` it is what `make test-heavy` runs, else everything but that. Other arguments go to both processes; with
a path among them there is but one. Exits with 1 where either failed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

TESTS = Path(__file__).parent
WAITING = TESTS / "integration"
HEAVY = TESTS / "heavy"
LATER = ("bench_lake", "jobs", "lake_chaos", "models", "nab", "nightly", "real_input", "reproduce", "tuning")
"""Integration tests that follow the others, so that both processes end at about the same time."""
HEAVY_BESIDE = (
    "airflow",
    "announced",
    "bench_forecast",
    "booster_trainer",
    "keep",
    "ray_watched",
    "registry_verdicts",
    "trino",
)
"""Heavy tests that run beside the others, before those of other folders: these have a Ray that stays to the end."""
NOTHING_COLLECTED = 5


def main(arguments: list[str]) -> int:
    """Shows the first process's tests as they run, then what the other's said."""
    heavy = "--heavy" in arguments
    command = [sys.executable, "-m", "pytest", "-m", "heavy" if heavy else "not heavy and not documented"]
    command += [argument for argument in arguments if argument != "--heavy"]
    if any(Path(argument.partition("::")[0]).exists() for argument in arguments):
        return subprocess.run(command, check=False).returncode
    first, beside = _heavy() if heavy else _usual()
    with tempfile.TemporaryFile("w+") as said:
        other = subprocess.Popen([*command, *beside], stdout=said, stderr=said)
        psutil.Process(other.pid).nice(10)
        try:
            codes = {subprocess.run([*command, *first], check=False).returncode, other.wait()}
        finally:
            other.kill()
        said.seek(0)
        sys.stdout.write(said.read())
    return int(bool(codes - {0, NOTHING_COLLECTED}) or codes == {NOTHING_COLLECTED})


def _usual() -> tuple[list[str], list[str]]:
    later = _files(WAITING, LATER)
    return [str(WAITING), *_without(later)], [*_folders(but=WAITING), *later]


def _heavy() -> tuple[list[str], list[str]]:
    beside = _files(HEAVY, HEAVY_BESIDE)
    own = str(HEAVY / "transformers")  # runs in an environment of its own
    return [str(HEAVY), *_without([*beside, own])], [*beside, *_folders(but=HEAVY)]


def _files(folder: Path, names: tuple[str, ...]) -> list[str]:
    return [str(folder / f"test_{name}.py") for name in names]


def _without(paths: list[str]) -> list[str]:
    return [f"--ignore={path}" for path in paths]


def _folders(but: Path) -> list[str]:
    return [str(path.parent) for path in sorted(TESTS.glob("*/__init__.py")) if path.parent != but]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

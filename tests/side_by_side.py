"""Runs the suite as two pytest processes: integration tests mostly wait, so the others run beside them, nicely, and
then those of the integration tests that need no server but Ray.

Arguments go to both; with a path among them there is but one. Exits with 1 where either failed. What `make test-heavy`
runs is left out, unless an argument `-m` says otherwise.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

TESTS = Path(__file__).parent
WAITING = "integration"
AFTERWARDS = ("bench_lake", "jobs", "lake_chaos", "models", "nab", "nightly", "real_input", "reproduce", "tuning")
"""Integration tests that follow the others, so that both processes end at about the same time."""
NOTHING_COLLECTED = 5


def main() -> int:
    """Shows the integration tests as they run, then what the others said."""
    if any(Path(argument.partition("::")[0]).exists() for argument in sys.argv[1:]):
        return subprocess.run(_pytest(), check=False).returncode
    others = [str(path.parent) for path in sorted(TESTS.glob("*/__init__.py")) if path.parent.name != WAITING]
    files = [str(TESTS / WAITING / f"test_{name}.py") for name in AFTERWARDS]
    with tempfile.TemporaryFile("w+") as said:
        beside = subprocess.Popen(_pytest(*others, *files), stdout=said, stderr=said)
        psutil.Process(beside.pid).nice(10)
        try:
            first = _pytest(str(TESTS / WAITING), *(f"--ignore={file}" for file in files))
            codes = {subprocess.run(first, check=False).returncode, beside.wait()}
        finally:
            beside.kill()
        said.seek(0)
        sys.stdout.write(said.read())
    return int(bool(codes - {0, NOTHING_COLLECTED}) or codes == {NOTHING_COLLECTED})


def _pytest(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-m", "not heavy", *arguments, *sys.argv[1:]]


if __name__ == "__main__":
    sys.exit(main())

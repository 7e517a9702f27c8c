"""Shared by all tests: environment, Hypothesis profile, and the public data sets beside the project."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from kolray.observability.logs import set_up_logs
from kolray.settings import S3Settings
from tests.s3 import s3_server

os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_AUTH_MODE="disabled",
    RAY_DATA_DISABLE_PROGRESS_BARS="1",
    RAY_ENABLE_UV_RUN_RUNTIME_ENV="0",
    RAY_SERVE_LOG_TO_STDERR="0",
)
settings.register_profile("kolray", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kolray")

SKIPS_FAIL = os.environ.get("KOLRAY_SKIPS") == "fail"
"""As CI has it: there a tool that is missing must not look like a test that held."""
EXCUSED = ("realdata", "machine")
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("KOLRAY_DATA", ROOT.parent / "shared" / "data"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With ``KOLRAY_SKIPS=fail`` only what no package brings may be missing."""
    report = yield
    if SKIPS_FAIL and report.skipped and not any(item.get_closest_marker(name) for name in EXCUSED):
        report.outcome = "failed"
        report.longrepr = f"skipped, which KOLRAY_SKIPS=fail forbids: {report.longrepr}"
    return report


@pytest.fixture
def data() -> Path:
    """The folder of public data sets; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip(f"the public data sets are not at {DATA}; set KOLRAY_DATA to their folder")
    return DATA


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What this process logs as JSON lines."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up_logs(as_json=True, stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Settings]:
    """An S3 server, once for all tests of this process."""
    with s3_server() as reached:
        yield reached

"""Where traces are asked for and their packages are not here, it is said what to install."""

from __future__ import annotations

import sys

import pytest

from kolray.errors import SettingsError
from kolray.observability.traces import open_tracer
from kolray.settings import ObserveSettings


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"observe.traces needs `pip install 'kolray\[traces\]'`"):
        open_tracer(ObserveSettings(traces="http://127.0.0.1:4318/v1/traces"))

"""The same application on uvicorn alone, without Ray: ``python -m kolray.benchmarks.serving.plain PORT``."""

from __future__ import annotations

import sys

import uvicorn

from kolray.local.ports import LOOPBACK
from kolray.serving.build import build_server
from kolray.settings import load_settings

if __name__ == "__main__":
    uvicorn.run(
        build_server(load_settings()), host=LOOPBACK, port=int(sys.argv[1]), log_level="warning", access_log=False
    )

"""The style sheet, the script and the icon: browsers keep them for a year, under names that tell what they hold."""

from __future__ import annotations

import hashlib
from functools import cache
from os import PathLike, stat_result
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"


@cache
def asset(name: str) -> str:
    """``static/dashboard.css?1f0c…``: an address that no browser has an older file of."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"static/{name}?{digest[:12]}"


class _Kept(StaticFiles):
    """Files that need not be asked for again, where the address names what they hold."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        answer = super().file_response(full_path, stat_result, scope, status_code)
        if scope["query_string"]:
            answer.headers["Cache-Control"] = FOREVER
        return answer


def mount_static(app: FastAPI) -> None:
    """Serves the files, which need no session."""
    app.mount("/static", _Kept(directory=STATIC), name="dashboard-static")

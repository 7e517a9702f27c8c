"""``/openapi.json``, and ``/docs``: Swagger UI from a wheel, so that it works without the internet and calls nobody."""

from __future__ import annotations

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool

from kolray.serving.access import authorize
from kolray.serving.dashboard.pages import AT, COOKIE
from kolray.serving.problems import Problem

# Swagger UI writes style attributes and has its icons as data; scripts come from files alone.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " + (
    "font-src data:; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
STATIC = "/docs/static"
_PAGE = Markup("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>API – kolray</title>
<link rel="icon" href="{base}{at}/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{base}{static}/swagger-ui.css">
<script src="{base}{static}/swagger-ui-bundle.js" defer></script>
<script src="{base}{at}/static/reference.js" defer></script>
</head>
<body><main id="reference" data-url="{base}/openapi.json"></main></body>
</html>
""")


def add_reference(app: FastAPI) -> None:
    """Both for a token that reads and for who is signed in to the dashboard; the files of Swagger UI for all."""
    files = Path(fastapi_offline.__file__).parent / "static"
    app.mount(STATIC, StaticFiles(directory=files), name="docs-static")

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        await _may(request)
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        base = request.scope.get("root_path", "").rstrip("/")
        try:
            await _may(request)
        except Problem as problem:
            if problem.status != 401 or "Authorization" in request.headers:
                raise
            return RedirectResponse(f"{base}{AT}/signin", 303)  # a browser can sign in
        page = _PAGE.format(base=base, at=AT, static=STATIC)
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


async def _may(request: Request) -> None:
    services = request.app.state.services
    cookie = request.cookies.get(COOKIE)
    if cookie is not None and await run_in_threadpool(services.session_ok, cookie):
        return
    text = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    await authorize(services.tokens, services.limiter, text, "read")

"""Every error of the API in one shape: RFC 9457 problem details."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from kolray.errors import InvalidInputError, KolrayError, NotFoundError, ServiceUnavailableError
from kolray.serving.contracts import ProblemDetails

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ProblemDetails, "description": text}
    for code, text in (
        (400, "Not readable"),
        (401, "No valid token"),
        (403, "The token lacks the scope"),
        (404, "Not found"),
        (408, "Took too long"),
        (413, "The body is too long"),
        (422, "Not valid"),
        (429, "Too many requests"),
        (503, "Too busy, or a store is away"),
    )
}
"""What any endpoint with a token may answer beside its own; ``describe`` gives them their media type."""


class Problem(Exception):  # noqa: N818 - the field's name for it
    """An answer that is an error: ``status``, ``title``, ``detail`` and further headers."""

    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, title, detail, headers)
        self.status, self.title, self.detail, self.headers = status, title, detail, headers or {}


def problem_response(
    request: Request, status: int, title: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The JSON body every error has: ``type, title, status, detail, instance`` and ``request_id``."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        "request_id": getattr(request.state, "request_id", None),
        **more,
    }
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(request: Request, problem: Problem) -> JSONResponse:
    """The answer that a ``Problem`` is."""
    return problem_response(request, problem.status, problem.title, problem.detail, problem.headers)


def install(app: FastAPI) -> None:
    """Turns every exception into a problem."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return problem_of(request, error)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> JSONResponse:
        fields = [{"field": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
        detail = "; ".join(f"{f['field']}: {f['message']}" for f in fields)
        return problem_response(request, 422, "The request is not valid", detail, errors=fields)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        headers = dict(error.headers) if error.headers else None
        return problem_response(request, error.status_code, str(error.detail), str(error.detail), headers)

    @app.exception_handler(KolrayError)
    async def _kolray(request: Request, error: KolrayError) -> JSONResponse:
        if isinstance(error, NotFoundError):
            return problem_response(request, 404, "Not found", str(error))
        if isinstance(error, InvalidInputError):
            return problem_response(request, 422, "The request is not valid", str(error))
        log.error("request failed: %s", error)
        if isinstance(error, ServiceUnavailableError):
            detail = f"{error.service} does not answer; try again in a moment"
            return problem_response(request, 503, "A service is unavailable", detail, {"Retry-After": "2"})
        return problem_response(request, 500, "Internal error", "the request could not be completed")

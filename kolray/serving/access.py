"""Who may ask: a bearer token with the scope an endpoint needs, within its requests a minute."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from kolray.serving.dashboard.pages import COOKIE
from kolray.serving.limiter import Granted, RateLimiter
from kolray.serving.problems import Problem
from kolray.serving.tokens import Token, Tokens
from kolray.stores.redis_loop import Command

_bearer = HTTPBearer(auto_error=False, description="an API token from `kolray tokens create`")


async def authorize(
    tokens: Tokens, limiter: RateLimiter, text: str | None, scope: str, *more: Command
) -> tuple[Token, Granted]:
    """The token, the headers of its rate limit, and the replies of Redis to ``more``.

    Raises:
        Problem: 401 without a valid token, 429 beyond its rate, 403 without the scope.
    """
    token = tokens.at_hand(text) if text else None
    if token is None and text:
        token = await run_in_threadpool(tokens.check, text)
    if token is None:
        advice = "send 'Authorization: Bearer TOKEN'; `kolray tokens create` makes one"
        raise Problem(401, "No valid token", advice, {"WWW-Authenticate": "Bearer"})
    granted = await limiter.check(token, *more)
    if not token.may(scope):
        detail = f"the token {token.name!r} lacks the scope {scope!r}; use one made with `--scope {scope}`"
        raise Problem(403, "The token may not do this", detail, granted.headers)
    return token, granted


def needs(scope: str, *, session: bool = False) -> Any:
    """A FastAPI dependency: the request is authorized for ``scope``.

    Args:
        session: who is signed in to the dashboard may ask too, as a browser's event streams send no token.
    """

    async def check(
        request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Token | None:
        services = request.app.state.services
        cookie = request.cookies.get(COOKIE) if session else None
        if cookie is not None and await run_in_threadpool(services.session_ok, cookie):
            return None
        text = credentials.credentials if credentials else None
        token, granted = await authorize(services.tokens, services.limiter, text, scope)
        remember(request, granted)
        return token

    return Depends(check)


def remember(request: Request, granted: Granted) -> None:
    """The headers that the answer to a token's request will have."""
    request.state.limit_headers = granted.headers | {"Cache-Control": "no-store"}

"""Which language a reader gets: the one chosen here before, else the one the browser asks for."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from kolray.serving.dashboard.text import LANGUAGES

COOKIE = "kolray_language"
KEEP_S = 365 * 86_400
NAMES = {"en": "English", "vi": "Tiếng Việt"}
"""As their readers call them."""


def language_of(request: Request, default: str) -> str:
    """A language of ``LANGUAGES``."""
    asked = [part.split(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")]
    wanted = [request.cookies.get(COOKIE, ""), *asked]
    return next((language for language in wanted if language in LANGUAGES), default)


def others(language: str) -> list[tuple[str, str]]:
    """(language, its name) of those a reader may change to."""
    return [(other, name) for other, name in NAMES.items() if other != language]


def add_language(router: APIRouter, go_on: Callable[[Request, str], str]) -> None:
    """``/language?to=vi&following=/kols``: remembers the choice and goes on there.

    Args:
        go_on: the address of a path of this site; anything else leads to the overview.
    """

    @router.get("/language")
    def choose(request: Request, to: str = "", following: str = "/") -> Response:
        answer = RedirectResponse(go_on(request, following), 303)
        if to in LANGUAGES:
            secure = request.url.scheme == "https"
            answer.set_cookie(COOKIE, to, KEEP_S, path="/", httponly=True, samesite="lax", secure=secure)
        return answer

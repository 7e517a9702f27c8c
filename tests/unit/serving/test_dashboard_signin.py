"""Who may see the dashboard: signing in and out, the cookie, and where the door leads."""

from __future__ import annotations

import warnings
from urllib.parse import quote

import pytest

from kolray.serving.dashboard.pages import COOKIE, safe_next
from kolray.serving.dashboard.text import EN

with warnings.catch_warnings():
    # Starlette warns of httpx at import, which the product uses.
    warnings.simplefilter("ignore")
from tests.unit.serving.pages import KOL, PATHS, TOKEN, client, tags


@pytest.mark.parametrize("path", [*PATHS, f"/kols/{KOL}", "/suggest?q=a"])
def test_without_a_session_every_page_leads_to_the_door(path: str) -> None:
    for cookies in (None, {COOKIE: "forged"}):
        browser = client(signed_in=False)
        browser.cookies.update(cookies or {})
        answer = browser.get(path)
        assert answer.status_code == 303
        expected = "/signin" if path == "/" else f"/signin?next={quote(path)}"
        assert answer.headers["location"] == expected


def test_signing_in_sets_the_cookie_and_goes_on_to_the_page_that_was_asked_for() -> None:
    browser = client(signed_in=False)
    door = browser.get("/signin?next=/kols%3Fby%3Dsuccess")
    tags(door)
    assert 'name="next" value="/kols?by=success"' in door.text
    answer = browser.post("/signin", data={"token": f" {TOKEN}\n", "next": "/kols?by=success"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/kols?by=success")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert browser.get("/kols").status_code == 200
    assert TOKEN not in answer.text + cookie


def test_over_https_the_cookie_is_secure() -> None:
    browser = client(signed_in=False)
    browser.base_url = "https://testserver"
    assert "Secure" in browser.post("/signin", data={"token": TOKEN}).headers["set-cookie"]


@pytest.mark.parametrize(
    ("token", "words"), [("wrong", "signin_wrong"), ("", "signin_empty"), ("x" * 9000, "signin_empty")]
)
def test_a_wrong_token_is_refused_in_words(token: str, words: str) -> None:
    answer = client(signed_in=False).post("/signin", data={"token": token})
    assert answer.status_code == 401
    assert EN[words] in answer.text
    assert "set-cookie" not in answer.headers
    tags(answer)


def test_signing_out_ends_the_session() -> None:
    browser = client(signed_in=False)
    browser.post("/signin", data={"token": TOKEN})
    assert browser.post("/signout").headers["location"] == "/signin"
    assert browser.get("/").status_code == 303


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "/\n/evil", "", "kols"]
)
def test_the_door_leads_to_this_site_only(target: str) -> None:
    assert safe_next(target) == "/"

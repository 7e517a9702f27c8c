"""What pages say: read as events or refused with a reason, whatever comes; consent, bots, repeats and addresses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolray.events import SCHEMAS, invalid_reason
from kolray.serving.tracking.hits import Caller, RefusedError, bare, read_hit
from kolray.serving.tracking.visitors import Seen, is_bot, visitor_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
VISIT = {"kol_id": "k1", "campaign_id": "c1"}


def caller(*, referer: str = "https://shop.example/p?id=7", quiet: bool = False, agent: str = BROWSER) -> Caller:
    return Caller("203.0.113.7", agent, referer, quiet)


def hit(**said: Any) -> dict[str, Any]:
    return read_hit(VISIT | said, caller(), NOW, "v1")


def test_a_visit_with_consent_is_an_impression_of_the_page() -> None:
    made = hit(consent="1", event_id="e1")
    assert made == VISIT | {
        "event_id": "e1", "event_type": "impression", "event_time": NOW, "value": None, "currency": None,
        "visitor": "v1", "consent": True, "url": "https://shop.example/p",
    }  # fmt: skip


@pytest.mark.parametrize("consent", ["0", "false", "denied", "", None, False, [1]])
def test_without_consent_a_visit_is_counted_and_nothing_of_the_visitor_kept(consent: Any) -> None:
    made = hit(consent=consent)
    assert (made["consent"], made["visitor"], made["url"]) == (False, "", "")
    assert made["event_type"] == "impression"


def test_do_not_track_weighs_more_than_what_the_page_says() -> None:
    made = read_hit(VISIT | {"consent": True}, caller(quiet=True), NOW, "v1")
    assert (made["consent"], made["visitor"]) == (False, "")


def test_utm_parameters_stand_for_campaign_and_kol() -> None:
    url = "https://shop.example/?utm_campaign=spring&utm_content=kol_9&utm_source=tiktok"
    made = read_hit({"url": url, "consent": True}, caller(), NOW, "v1")
    assert (made["campaign_id"], made["kol_id"], made["url"]) == ("spring", "kol_9", "https://shop.example/")


def test_a_conversion_carries_money_and_may_come_late() -> None:
    made = hit(event_type="conversion", value="12.5", currency="EUR", age_ms=60_000)
    assert (made["value"], made["currency"]) == (12.5, "EUR")
    assert made["event_time"] == NOW - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"kol_id": ""}, "missing: kol_id"),
        ({"campaign_id": None}, "missing: campaign_id"),
        ({"kol_id": "k" * 129}, "too long or not text: kol_id"),
        ({"kol_id": "\ud800"}, "unreadable: kol_id"),
        ({"kol_id": {"a": 1}}, "unreadable: kol_id"),
        ({"event_type": "view"}, "unknown: event_type"),
        ({"value": "much"}, "unreadable: value"),
        ({"value": -1}, "out of range: value"),
        ({"value": "NaN"}, "out of range: value"),
        ({"value": 10**400}, "unreadable: value"),
        ({"age_ms": 10**9}, "out of range: age_ms"),
        ({"url": "http://[::1"}, "unreadable: url"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        hit(**said)


NAMES = ["kol_id", "campaign_id", "event_type", "event_id", "url", "value", "currency", "consent", "age_ms"]
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary().map(repr), st.lists(st.integers()),
    st.sampled_from(["conversion", "click", "k1", "1e308", "-0", "٣", "\ud83d", "http://a@b:99/x?y#z", "//", "\x00"]),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(NAMES), ODD), st.booleans())
def test_whatever_comes_is_a_valid_event_or_refused(said: dict[str, Any], given_ids: bool) -> None:
    try:
        made = read_hit((VISIT if given_ids else {}) | said, caller(), NOW, "v1")
    except RefusedError:
        return
    frame = pl.DataFrame([made], schema_overrides=SCHEMAS["web"]).select(*SCHEMAS["web"])
    assert frame.select(invalid_reason("web")).item() is None


def test_addresses_keep_no_query_fragment_user_or_port() -> None:
    assert bare("https://me:secret@shop.example:8443/a/b?mail=x#y") == "https://shop.example/a/b"


def test_a_visitor_is_the_same_for_a_day_and_tells_nothing() -> None:
    one = visitor_of(b"s", "203.0.113.7", BROWSER, NOW)
    assert one == visitor_of(b"s", "203.0.113.7", BROWSER, NOW + timedelta(hours=11))
    assert one != visitor_of(b"s", "203.0.113.7", BROWSER, NOW + timedelta(hours=12)), "the salt changes at midnight"
    assert one != visitor_of(b"other", "203.0.113.7", BROWSER, NOW)
    assert one != visitor_of(b"s", "203.0.113.8", BROWSER, NOW)


def test_known_bots_are_told_from_browsers() -> None:
    assert is_bot("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)")
    assert is_bot("curl/8.5.0")
    assert is_bot(" ")
    assert not is_bot(BROWSER)


def test_repeats_are_told_by_id_and_by_what_happens_at_once() -> None:
    seen = Seen()
    first = hit(event_id="e1", consent=True)
    assert not seen.again(first)
    assert seen.again(first), "the same id"
    assert seen.again(first | {"event_id": "e2"}), "the same page fires twice"
    assert not seen.again(first | {"event_id": "e3", "visitor": "v2"})
    assert not seen.again(first | {"event_id": "e4", "event_type": "conversion"})
    assert not seen.again(first | {"event_id": "e5", "event_type": "conversion"}), "two orders may be two"
    anonymous = hit(event_id="e6")
    assert not seen.again(anonymous)
    assert not seen.again(anonymous | {"event_id": "e7"}), "without consent nobody can be told apart"

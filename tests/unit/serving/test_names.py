"""Finding an account by a part of its name."""

from __future__ import annotations

from kolray.serving.page_data import FOUND, account_names, names_with
from tests.unit.serving.pages import client


def test_those_that_begin_with_it_come_first_and_case_does_not_matter() -> None:
    names = account_names(["lan.food", "Food.lan", "an.travel", "foodie", "a.c", "abc"])
    assert names_with(names, "FOOD") == ["Food.lan", "foodie", "lan.food"]
    assert names_with(names, "a.c") == ["a.c"], "a dot is a dot"
    assert names_with(names, "nobody") == []
    assert names_with(account_names([]), "an") == []
    assert len(names_with(account_names(f"kol_{i}" for i in range(100)), "kol")) == FOUND


def test_a_name_that_is_typed_in_full_opens_its_page() -> None:
    browser = client()
    assert browser.get("/kols?q=AN.beauty00").headers["location"] == "/kols/an.beauty00"
    found = browser.get("/kols?q=Beauty")
    assert found.status_code == 200
    assert "an.beauty00" in found.text.replace("<wbr>", "")

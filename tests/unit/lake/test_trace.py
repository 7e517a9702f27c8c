"""What names a KOL and what does not: in columns, texts, JSON, log entries and raw bytes."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kolray.events import DLQ_TOPIC
from kolray.lake.erasure.trace import FORGOTTEN, Trace
from kolray.schemas.wire import encode_rows

K1 = Trace("k1")


@pytest.mark.parametrize("text", ["k1", "ask k1!", "@k1", "yt:k1:profile", '{"kol":"k1"}', "a\\nk1"])
def test_a_word_of_a_text_names_it(text: str) -> None:
    assert K1.in_text(text)
    cleaned = K1.clean(pl.DataFrame({"kol_id": ["other"], "text": [text]}))
    assert (cleaned.removed, cleaned.redacted) == (0, 1)
    assert cleaned.frame["text"][0] == text.replace("k1", FORGOTTEN)


@pytest.mark.parametrize("text", ["k10", "xk1", "x-k1", "k1_2", "K1", ""])
def test_a_longer_word_does_not(text: str) -> None:
    assert not K1.in_text(text)
    assert K1.clean(pl.DataFrame({"kol_id": [text], "text": [text]})).found == 0


def test_its_rows_go_and_those_of_others_stay_in_their_order() -> None:
    rows = pl.DataFrame({"kol_id": ["k2", "k1", " k1\t", None, "k10", "yt:k1"], "n": range(6)})
    cleaned = K1.clean(rows)
    assert cleaned.frame["n"].to_list() == [0, 3, 4, 5], "another id that contains it is another KOL"
    assert cleaned.removed == 2


@pytest.mark.parametrize("size", [2, 24, 29, 63, 64, 200])
def test_a_string_of_an_avro_record_names_it_whatever_stands_beside(size: int) -> None:
    kol = "k" * size
    letter = {"topic": "t", "partition": 0, "offset": 1, "reason": "r", "key": None, "at": 0, "value": None}
    [value] = encode_rows(DLQ_TOPIC, 1, pl.DataFrame([letter | {"topic": kol}]).with_columns(at=pl.lit(0)))
    values = pl.DataFrame({"key": [None, kol.encode(), None], "value": [value, None, b"z" + kol.encode()]})
    assert Trace(kol).clean(values).frame["value"].to_list() == [b"z" + kol.encode()]


def test_log_entries_are_read_by_their_columns() -> None:
    stats = json.dumps({"minValues": {"kol_id": "yt:k1", "text": "a"}, "maxValues": {"kol_id": "k9"}})
    assert not K1.in_json({"add": {"path": "p", "stats": stats}}), "the bound of another KOL"
    assert K1.in_json({"add": {"path": "p", "stats": stats.replace("yt:k1", "k1")}})
    assert K1.in_json({"commitInfo": {"operationParameters": {"predicate": "kol_id = 'k1'"}}})


IDS = st.from_regex(r"[a-k1_é][a-k1_.:@é-]{0,6}[a-k1_é]", fullmatch=True)
TEXTS = st.text('abk1_.:@é- \n"\\[*', max_size=20)


@given(IDS, TEXTS, TEXTS)
def test_what_was_cleaned_is_clean(kol: str, before: str, after: str) -> None:
    trace = Trace(kol)
    rows = pl.DataFrame({"kol_id": ["zz", kol], "text": [before + kol + after, after], "raw": [after.encode(), b""]})
    once = trace.clean(rows)
    assert trace.clean(once.frame).found == 0
    told = json.dumps({"said": before + " " + kol + " " + after})
    assert trace.in_json(json.loads(told))

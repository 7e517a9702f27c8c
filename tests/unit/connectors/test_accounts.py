"""Account tables: whatever people call their columns, and whatever stands in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from kolray.connectors.accounts import labelled_accounts, read_accounts
from kolray.errors import InvalidInputError
from kolray.features.accounts import FEATURE_NAMES, FEATURES, account_features


def written(folder: Path, text: str | bytes, name: str = "accounts.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_names_known_by_themselves_become_canonical_and_a_mapping_comes_first(tmp_path):
    file = written(tmp_path, "screen_name,followers_count,friends_count,isFake,karma\nann1,5,7,1,2.5\n")
    table = read_accounts(file).table
    assert table.columns == ["username", "followers", "following", "label", "karma"]
    assert read_accounts(file, {"posts": "karma"}).table.columns == [
        "username",
        "followers",
        "following",
        "label",
        "posts",
    ]
    with pytest.raises(InvalidInputError, match="no column nothing"):
        read_accounts(file, {"posts": "nothing"})


def test_a_second_column_that_may_be_the_label_is_no_feature(tmp_path):
    accounts = read_accounts(written(tmp_path, "followers,label,is_bot\n3,0,0\n4,1,1\n"))
    assert accounts.table.columns == ["followers", "label"]
    assert "is_bot may say what label says" in accounts.notes[0]


def test_two_columns_for_one_are_refused_unless_one_is_left_out(tmp_path):
    file = written(tmp_path, "a,b\n1,2\n")
    with pytest.raises(InvalidInputError, match="two columns for a"):
        read_accounts(file, {"a": "b"})
    assert read_accounts(file, drop=["a"]).table.columns == ["b"]


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        ("fake,real,FAKE", [1, 0, 1]),
        ("True,False,", [1, 0, None]),
        ("bot,human,bot", [1, 0, 1]),
        ("1,0,1.0", [1, 0, 1]),
    ],
)
def test_labels_may_be_words(tmp_path, words, labels):
    file = written(tmp_path, "followers,label\n" + "".join(f"{i},{word}\n" for i, word in enumerate(words.split(","))))
    assert read_accounts(file).table["label"].to_list() == labels


def test_a_label_that_is_neither_is_refused_by_its_word(tmp_path):
    with pytest.raises(InvalidInputError, match="'perhaps'"):
        read_accounts(written(tmp_path, "followers,label\n1,perhaps\n"))


def test_negative_infinite_and_unreadable_counts_are_missing_and_noted(tmp_path):
    accounts = read_accounts(written(tmp_path, "followers,following\n-1,1e300\n12,inf\nmany,99999999999999999999\n"))
    assert accounts.table["followers"].to_list() == [None, 12.0, None]
    assert accounts.table["following"].to_list() == [1e300, None, 1e20]
    assert len(accounts.notes) == 3
    features = account_features(accounts.table)
    assert features["followers_per_following"].is_infinite().sum() == 0


def test_bytes_that_are_no_utf8_count_as_unknown_characters(tmp_path):
    accounts = read_accounts(written(tmp_path, "username,followers\nren\xe9,3\n".encode("latin-1")))
    assert account_features(accounts.table)["username_length"].to_list() == [4.0]
    assert "not UTF-8 from byte 22" in accounts.notes[0]
    assert (
        read_accounts(written(tmp_path, "username,followers\nrené,3\n".encode("utf-16"))).table["username"][0] == "rené"
    )


@pytest.mark.parametrize("text", ["", "followers,label\n"])
def test_an_empty_table_is_refused(tmp_path, text):
    with pytest.raises(InvalidInputError, match="no rows"):
        read_accounts(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "match"),
    [("followers\n1\n", "no column label"), ("followers,label\n1,0\n2,0\n", "2 real and 0 fake")],
)
def test_learning_needs_both_labels(tmp_path, text, match):
    file = written(tmp_path, text)
    with pytest.raises(InvalidInputError, match=match):
        labelled_accounts(read_accounts(file), file)


def test_rows_without_a_label_are_left_out_and_noted(tmp_path):
    file = written(tmp_path, "followers,label\n1,0\n2,1\n3,\n")
    accounts = labelled_accounts(read_accounts(file), file)
    assert accounts.table.height == 2
    assert "1 rows without a label" in accounts.notes[0]


def test_ages_come_from_creation_times_of_any_common_form(tmp_path):
    times = ["Sat Oct 17 22:35:31 +0000 2015", "13/03/2017 22:21", "3/13/2017 22:21", "2017-03-13T22:21:00Z", "soon"]
    times += ["1489443660", "1489443660000"]
    accounts = read_accounts(written(tmp_path, "created_at\n" + "\n".join(times) + "\n"))
    assert accounts.as_of == datetime(2017, 3, 13, 22, 21, tzinfo=UTC)
    days = accounts.table["account_age_days"].to_list()
    assert days[1:] == [0.0, 0.0, 0.0, None, 0.0, 0.0]
    assert days[0] == pytest.approx(512.99, abs=0.01)
    later = read_accounts(tmp_path / "accounts.csv", as_of=datetime(2017, 3, 14, 22, 21, tzinfo=UTC))
    assert later.table["account_age_days"][1] == 1.0


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_parquet_and_json_lines_read_as_csv_does(tmp_path, suffix):
    rows = pl.DataFrame({"followers": [3, 4], "verified": [True, False], "label": ["fake", "real"]})
    file = tmp_path / f"accounts.{suffix}"
    rows.write_parquet(file) if suffix == "parquet" else rows.write_ndjson(file)
    assert read_accounts(file).table.rows() == [(3.0, 1.0, 1), (4.0, 0.0, 0)]


def test_every_feature_keeps_its_range_and_is_null_without_its_columns(tmp_path):
    names = "username,name,bio,followers,following,posts,likes_given,lists,account_age_days,verified,has_url"
    rows = ["ann_X9912,Ann X,see https://a.b @c,5,0,0,7,0,0.0,true,no", ",,,0,3,9,,1,12.5,,1", ",,,,,,,,,,"]
    full = account_features(read_accounts(written(tmp_path, "\n".join([names, *rows, ""]))).table)
    assert full.columns[1:] == list(FEATURE_NAMES)
    for feature in FEATURES:
        values = full[feature.name].drop_nulls()
        assert values.is_finite().all()
        assert feature.low is None or (values >= feature.low).all()
        assert feature.high is None or (values <= feature.high).all()
    assert full.row(2)[1:] == (None,) * len(FEATURE_NAMES)
    assert full.select("username_tail_digits", "username_digit_share", "bio_links").row(0) == (4.0, 4 / 9, 2.0)

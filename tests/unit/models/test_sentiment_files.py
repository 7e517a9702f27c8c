"""Sentiment from labelled files: what may stand in them, how folds are made, and what a report says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kolray.errors import InvalidInputError
from kolray.models.sentiment import trained
from kolray.models.sentiment.judge import cross_validate, judge, text_folds
from kolray.models.sentiment.labelled import Labelled, read_labelled


def write(folder: Path, rows: list[tuple[str | None, object]], name: str = "a.jsonl") -> Path:
    file = folder / name
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["negative", "Neutral", " POSITIVE "], [-1, 0, 1]),
        (["neg", "neu", "pos"], [-1, 0, 1]),
        ([0, 1, 2], [-1, 0, 1]),
        ([0, 2], [-1, 1]),
        ([0, 1], [-1, 1]),  # two labels from 0 on: the second is positive
        ([-1, 1], [-1, 1]),
        (["-1", "0", "1"], [-1, 0, 1]),
        ([0.0, 1.0, 2.0], [-1, 0, 1]),
        ([0, 4], [-1, 1]),
        ([1, 2, 3, 4, 5], [-1, -1, 0, 1, 1]),
        (["Tiêu cực", "trung tính", "tích cực"], [-1, 0, 1]),
    ],
)
def test_labels_are_names_or_numbers_of_one_scale(tmp_path: Path, given: list[object], read: list[int]) -> None:
    [data] = read_labelled([write(tmp_path, [(f"t{i}", label) for i, label in enumerate(given)])])
    assert data.frame["label"].to_list() == read
    assert data.labels == sorted(set(read))


def test_a_test_file_is_on_the_scale_of_both_files(tmp_path: Path) -> None:
    train = write(tmp_path, [("a", 0), ("b", 1), ("c", 2)])
    [_, test] = read_labelled([train, write(tmp_path, [("d", 0), ("e", 1)], "b.jsonl")])
    assert test.frame["label"].to_list() == [-1, 0]


def test_csv_and_parquet_with_other_column_names(tmp_path: Path) -> None:
    frame = pl.DataFrame({"sentence": ["hay", "dở"], "feeling": [1, 0]})
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    mapping = {"text": "sentence", "label": "feeling"}
    csv, parquet = read_labelled([tmp_path / "a.csv", tmp_path / "a.parquet"], mapping)
    assert csv.frame.equals(parquet.frame)
    assert csv.frame["label"].to_list() == [1, -1]


def test_rows_without_a_text_or_a_label_are_skipped_and_counted(tmp_path: Path) -> None:
    [data] = read_labelled([write(tmp_path, [("a", 0), (None, 1), ("  ", 1), ("b", None), ("c", 1)])])
    assert data.frame["text"].to_list() == ["a", "c"]
    assert data.skipped == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "happy"), ("b", "sad")], "happy, sad are none of"),
        ([("a", 0), ("b", 7)], "0, 7 are none of"),
        ([("a", 1), ("b", "positive")], "none of"),
        ([("a", 1)], "1 rows have a text"),
        ([(None, 1), (None, 0)], "0 rows have a text"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, rows: list[tuple[str | None, object]], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        read_labelled([write(tmp_path, rows)])


def test_a_missing_column_and_an_unknown_field_are_named(tmp_path: Path) -> None:
    file = write(tmp_path, [("a", 0), ("b", 1)])
    with pytest.raises(InvalidInputError, match="no column body; say --map text=COLUMN with one of text, label"):
        read_labelled([file], {"text": "body"})
    with pytest.raises(InvalidInputError, match="mood: a labelled file has"):
        read_labelled([file], {"mood": "label"})


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"text,label\n\xff\xfehay,1\nd,0\n")
    with pytest.raises(InvalidInputError, match=r"a\.csv"):
        read_labelled([file])


def test_equal_texts_share_a_fold_and_labels_are_spread() -> None:
    frame = pl.DataFrame({"text": [f"t{i % 50}" for i in range(200)], "label": [(-1, 1)[i % 2] for i in range(200)]})
    folds = text_folds(frame, 5, seed=1)
    assert frame.with_columns(fold=folds).group_by("text").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert np.bincount(folds).tolist() == [40] * 5
    assert text_folds(frame, 5, seed=1).tolist() == folds.tolist()


@pytest.mark.parametrize("labels", [[1] * 20, [1] * 20 + [-1] * 4])
def test_folds_need_enough_texts_of_two_labels(labels: list[int]) -> None:
    frame = pl.DataFrame({"text": [f"t{i}" for i in range(len(labels))], "label": labels})
    with pytest.raises(InvalidInputError, match="5 folds need"):
        text_folds(frame, 5, seed=1)


class Parrot:
    """Answers what it was told of a text, else the first of its labels."""

    version = "parrot"

    def __init__(self, known: pl.DataFrame) -> None:
        self._known = dict(known.select("text", "label").iter_rows())

    def classify(self, texts: pl.Series) -> pl.Series:
        return pl.Series([self._known.get(text, -1) for text in texts], dtype=pl.Int8)


def test_cross_validation_judges_every_row_by_what_never_saw_it() -> None:
    told: list[int] = []

    def fit(frame: pl.DataFrame, seed: int) -> Parrot:
        told.append(frame.height)
        return Parrot(frame)

    data = Labelled(pl.DataFrame({"text": [f"t{i}" for i in range(50)], "label": [-1] * 20 + [0] * 10 + [1] * 20}), 4)
    report = cross_validate(data, fit, seed=7)
    assert told == [40] * 5
    assert (report.n, report.skipped) == (50, 4)
    assert report.confusion["positive"] == {"negative": 20, "neutral": 0, "positive": 0}
    assert report.accuracy == 0.4
    assert not report.beats_baseline
    assert report.comments_per_s > 0


def test_figures_are_over_the_labels_that_occur_beside_the_most_frequent() -> None:
    train = Labelled(pl.DataFrame({"text": list("abcd"), "label": [1, 1, 1, -1]}), 0)
    test = Labelled(pl.DataFrame({"text": ["a", "d", "é"], "label": [1, -1, 1]}), 0)
    report = judge(Parrot(test.frame), train, test)
    assert report.labels == ["negative", "positive"]
    assert (report.accuracy, report.macro_f1, report.weighted_f1) == (1.0, 1.0, 1.0)
    assert report.baseline_accuracy == pytest.approx(2 / 3)
    assert report.baseline_macro_f1 == pytest.approx(0.4)  # (0 + 2 * 2/5) / 2
    assert report.no_diacritics_accuracy == pytest.approx(2 / 3)  # "e" is another text
    assert report.beats_baseline


def test_without_a_test_file_a_fifth_is_held_out_and_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "fit_model", lambda frame, seed: Parrot(frame))
    data = Labelled(pl.DataFrame({"text": [f"t{i}" for i in range(50)], "label": [-1, 1] * 25}), 0)
    made = trained.train_sentiment(data, None, seed=7)
    assert (made.train.frame.height, made.test.frame.height) == (40, 10)
    assert not set(made.train.frame["text"]) & set(made.test.frame["text"])
    assert made.loss == made.loss_of(made.model)
    assert made.reference is not None
    assert made.reference.data == {"texts": made.train.digest} != {"texts": made.test.digest}
    assert made.report.split == "held-out fold, 1/5 of the rows"

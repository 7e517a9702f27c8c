"""Labelled comments from files: what training and evaluation read.

A label is a name (negative, neutral, positive, a beginning such as ``neg``, or the same in Vietnamese; in any case) or
a number on one scale for all files of a call: 0, 1, 2; -1, 0, 1; 0, 2, 4; or 1 to 5 stars. 0 and 1 alone mean negative
and positive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kolray.connectors.files import load_table
from kolray.errors import InvalidInputError

NAMES = {-1: "negative", 0: "neutral", 1: "positive"}
SCALES: tuple[dict[float, int], ...] = (
    {0: -1, 1: 1},
    {0: -1, 1: 0, 2: 1},
    {-1: -1, 0: 0, 1: 1},
    {0: -1, 2: 0, 4: 1},
    {1: -1, 2: -1, 3: 0, 4: 1, 5: 1},
)
"""Numbers of a file → sentiment; the first scale that holds all of them."""
VIETNAMESE = {"tiêu cực": -1, "trung tính": 0, "trung lập": 0, "tích cực": 1}
MIN_ROWS = 2


@dataclass(frozen=True)
class Labelled:
    """Texts with their sentiment: ``frame`` has ``text`` and ``label`` (Int8: -1, 0, 1), none null.

    ``skipped``: rows without a text or a label.
    """

    frame: pl.DataFrame
    skipped: int

    @property
    def labels(self) -> list[int]:
        """The labels that occur, ascending."""
        return sorted(self.frame["label"].unique().to_list())

    @property
    def digest(self) -> str:
        """A hash of the rows in their order: what a model was trained on."""
        rows = self.frame.select(pl.concat_str("label", "text", separator="\x1f")).to_series()
        return hashlib.sha256("\x1e".join(rows.to_list()).encode("utf-8", "replace")).hexdigest()[:16]


def read_labelled(files: list[Path], mapping: Mapping[str, str] | None = None) -> list[Labelled]:
    """Reads files whose labels are on the same scale, as a training and a test file.

    Args:
        mapping: ``text`` or ``label`` → column of the files, for files with other names.

    Raises:
        InvalidInputError: a file or a column is missing, a label is none of those above, or a file has fewer than two
            rows with a text and a label.
    """
    mapping = mapping or {}
    unknown = set(mapping) - {"text", "label"}
    if unknown:
        raise InvalidInputError(f"{', '.join(sorted(unknown))}: a labelled file has the fields text and label")
    raw = [_columns(file, mapping) for file in files]
    told = pl.concat(frame["label"] for frame in raw).drop_nulls().unique()
    scale = _scale(told, files)
    return [_typed(file, frame, scale) for file, frame in zip(files, raw, strict=True)]


def _columns(file: Path, mapping: Mapping[str, str]) -> pl.DataFrame:
    table = load_table(file)
    wanted = {field: mapping.get(field, field) for field in ("text", "label")}
    for field, column in wanted.items():
        if column not in table.columns:
            there = ", ".join(table.columns)
            raise InvalidInputError(f"{file}: no column {column}; say --map {field}=COLUMN with one of {there}")
    label = pl.col(wanted["label"]).cast(pl.String, strict=False).str.strip_chars().str.to_lowercase()
    text = pl.col(wanted["text"]).cast(pl.String, strict=False)
    return table.select(text=text, label=pl.when(label != "").then(label))


def _scale(told: pl.Series, files: list[Path]) -> dict[str, int]:
    """Each label as it stands in the files → sentiment."""
    numbers = told.cast(pl.Float64, strict=False)
    if numbers.null_count() == 0:
        values = set(numbers.to_list())
        for scale in SCALES:
            if values <= set(scale):
                return {text: scale[number] for text, number in zip(told, numbers, strict=True)}
    elif numbers.null_count() == len(told):
        found = {text: named(text) for text in told}
        if None not in found.values():
            return {text: label for text, label in found.items() if label is not None}
    shown = ", ".join(sorted(told.to_list())[:8])
    raise InvalidInputError(
        f"{', '.join(map(str, files))}: labels {shown} are none of negative, neutral, positive, nor numbers of"
        " one scale (0, 1, 2; -1, 0, 1; 0, 2, 4; 1 to 5 stars); another column is named with --map label=COLUMN"
    )


def named(text: str) -> int | None:
    """The sentiment of a name in small letters, which may be cut short, but not below three; None for others."""
    begun = (label for label, name in NAMES.items() if len(text) > 2 and name.startswith(text))
    return VIETNAMESE.get(text, next(begun, None))


def _typed(file: Path, raw: pl.DataFrame, scale: dict[str, int]) -> Labelled:
    filled = raw.filter(pl.col("text").str.strip_chars() != "", pl.col("label").is_not_null())
    if filled.height < MIN_ROWS:
        raise InvalidInputError(f"{file}: {filled.height} rows have a text and a label; {MIN_ROWS} or more are needed")
    label = pl.col("label").replace_strict(scale, return_dtype=pl.Int8)
    return Labelled(filled.with_columns(label), raw.height - filled.height)

"""Events from files: JSON Lines or an array, CSV, Parquet. Columns are event fields; bad rows become dead letters."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from kolray.connectors.typed import time_of, typed, unreadable
from kolray.errors import InvalidInputError
from kolray.events import SCHEMAS, TIME, Kind, invalid_reason

CHUNK_ROWS = 100_000


@dataclass(frozen=True)
class FileEvents:
    """Rows of files as events: ``frame`` (``SCHEMAS[kind]``, oldest first) and ``dead`` letters.

    ``dead``: ``topic`` (``file:NAME``), ``partition`` 0, ``offset`` (from 1: the line of JSON Lines, the row of a
    table), ``reason``, ``key``, ``value`` (the row as JSON, or the line as it was), ``at``.
    """

    kind: Kind
    frame: pl.DataFrame
    dead: pl.DataFrame


def read_files(files: list[Path], kind: Kind, mapping: Mapping[str, str], constants: Mapping[str, str]) -> FileEvents:
    """Reads files whole and merges their events by event time.

    Args:
        mapping: field → column of the file, for files with other names.
        constants: field → value for every row; ``{stem}`` is the file's name without its ending.

    Raises:
        InvalidInputError: a file is missing, of another format, or maps to unknown fields.
    """
    unknown = (set(mapping) | set(constants)) - set(SCHEMAS[kind])
    if unknown:
        raise InvalidInputError(
            f"{', '.join(sorted(unknown))}: no field of a {kind} event; there are {', '.join(SCHEMAS[kind])}"
        )
    parts = [_read_file(file, kind, mapping, constants) for file in files]
    frame = pl.concat(part.frame for part in parts).sort("event_time", "event_id", maintain_order=True)
    return FileEvents(kind, frame, pl.concat(part.dead for part in parts))


def chunks(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Slices to send one after the other."""
    yield from frame.iter_slices(CHUNK_ROWS)


def read_rows(rows: Sequence[Mapping[str, Any]], kind: Kind, name: str) -> FileEvents:
    """Events of rows that came otherwise than in a file, as JSON reads them; ``name`` stands for the file's."""
    raw = _table(rows)
    return _events(_numbered(raw), {}, Path(name), kind, {}, {})


def typed_rows(rows: Sequence[Mapping[str, Any]], kind: Kind, mended: Collection[str] = ()) -> pl.DataFrame:
    """Rows as the columns of ``SCHEMAS[kind]``, null where a value is none of its type, whatever rules they break.

    Beside them ``reason``: the first field whose value is there but lost (``unreadable: FIELD``), those apart that
    ``mended`` names.
    """
    raw = _table(rows)
    names = [name for name in SCHEMAS[kind] if name in raw.columns]
    text = _numbered(raw.select(_as_text(raw[name]) for name in names))
    found = typed(text, kind)
    return found.with_columns(unreadable(text, found, kind, mended)).drop("_line")


def _read_file(file: Path, kind: Kind, mapping: Mapping[str, str], constants: Mapping[str, str]) -> FileEvents:
    return _events(*_load(file), file, kind, mapping, constants)


def _events(
    raw: pl.DataFrame,
    torn: dict[int, tuple[str, str]],
    file: Path,
    kind: Kind,
    mapping: Mapping[str, str],
    constants: Mapping[str, str],
) -> FileEvents:
    columns = {field: mapping.get(field, field) for field in SCHEMAS[kind]}
    missing = [column for field, column in mapping.items() if column not in raw.columns]
    if missing:
        raise InvalidInputError(f"{file}: no column {', '.join(missing)}; the file has {', '.join(raw.columns[1:])}")
    fixed = {field: value.replace("{stem}", file.stem) for field, value in constants.items()}
    text = raw.select(
        "_line",
        *(
            (pl.lit(fixed[field]) if field in fixed else pl.lit(_as_text(raw[column]))).alias(field)
            for field, column in columns.items()
            if field in fixed or column in raw.columns
        ),
    )
    found = typed(text, kind)
    lost = unreadable(text, found, kind)
    if found["event_id"].null_count():
        found = found.with_columns(event_id=pl.coalesce("event_id", _content_id(text, file)))
    judged = found.with_columns(reason=pl.coalesce(lost, invalid_reason(kind)))
    bad = judged.filter(pl.col("reason").is_not_null()).select("_line", "reason")
    frame = judged.filter(pl.col("reason").is_null()).select(*SCHEMAS[kind])
    return FileEvents(kind, frame, _dead_letters(file, raw, bad, torn))


def _load(file: Path) -> tuple[pl.DataFrame, dict[int, tuple[str, str]]]:
    """The file's rows with the types it has and ``_line``, and line → (reason, text) of those that are no rows."""
    if not file.is_file():
        raise InvalidInputError(f"{file}: no such file")
    suffix = file.suffix.lower()
    try:
        if suffix == ".parquet":
            return _numbered(pl.read_parquet(file)), {}
        if suffix == ".csv":
            return _numbered(pl.read_csv(file, infer_schema=False, truncate_ragged_lines=True)), {}
        if suffix == ".json" and _begins_with(file, b"["):
            return _numbered(pl.read_json(file, infer_schema_length=None)), {}
        if suffix in (".jsonl", ".ndjson", ".json"):
            return _json_lines(file)
    except pl.exceptions.PolarsError as error:
        raise InvalidInputError(f"{file}: not readable as {suffix[1:]} ({error})") from error
    raise InvalidInputError(f"{file}: write JSON Lines (.jsonl), CSV (.csv) or Parquet (.parquet)")


def _begins_with(file: Path, mark: bytes) -> bool:
    with file.open("rb") as content:
        return content.read(64).lstrip().startswith(mark)


def _numbered(frame: pl.DataFrame, lines: list[int] | None = None) -> pl.DataFrame:
    """With ``_line`` as the first column: these numbers, or 1, 2, …"""
    if lines is None:
        return frame.with_row_index("_line", offset=1)
    return frame.select(pl.Series("_line", lines, dtype=pl.UInt32), pl.all())


def _json_lines(file: Path) -> tuple[pl.DataFrame, dict[int, tuple[str, str]]]:
    """Blank lines are no rows."""
    with file.open("rb") as text:
        filled = [number for number, line in enumerate(text, start=1) if not line.isspace()]
    try:
        frame = pl.read_ndjson(file, infer_schema_length=None)
        if frame.height == len(filled):
            return _numbered(frame, filled), {}
    except pl.exceptions.PolarsError:
        pass
    return _line_by_line(file)


def _object(text: str) -> tuple[dict[str, Any], str | None]:
    """The object that a line holds, or why it holds none."""
    try:
        row = json.loads(text)
        if "\\u" in text:
            json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return {}, "not Unicode: half of a surrogate pair"
    except (ValueError, RecursionError):  # also numbers of too many digits, and lists within lists
        return {}, "not JSON"
    return (row, None) if isinstance(row, dict) else ({}, "not a JSON object")


def _line_by_line(file: Path) -> tuple[pl.DataFrame, dict[int, tuple[str, str]]]:
    """Finds the lines that are no JSON objects; the others go on."""
    lines, rows, torn = [], [], {}
    for number, text in enumerate(file.read_bytes().decode(errors="replace").split("\n"), start=1):
        if not text.strip():
            continue
        row, reason = _object(text)
        if reason is not None:
            torn[number] = (reason, text)
        lines.append(number)
        rows.append({"_line": number, **row} if reason is None else {"_line": number})
    return _numbered(_table(rows).drop("_line", strict=False), lines), torn


def _table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as JSON reads them, as one table; where a column has values that no type holds together, all as text."""
    try:
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        told = [{name: _text_of(value) for name, value in row.items()} for row in rows]
        return pl.DataFrame(told, schema=dict.fromkeys((name for row in told for name in row), pl.String))


def _as_text(column: pl.Series) -> pl.Series:
    if isinstance(column.dtype, pl.List | pl.Array):  # no value of any field, and polars does not write it
        return pl.Series(column.name, [_text_of(value) for value in column.to_list()], dtype=pl.String)
    return column.cast(pl.String, strict=False)


def _text_of(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)


def _content_id(text: pl.DataFrame, file: Path) -> pl.Expr:
    """An id that is the same whenever the same line of the same file is read (``_line`` is among the columns)."""
    whole = pl.concat_str([pl.lit(file.name), *(pl.col(c).cast(pl.String) for c in text.columns)], separator="\x1f",
                          ignore_nulls=True)  # fmt: skip
    return pl.format("f{}", whole.hash(11))


def _dead_letters(file: Path, raw: pl.DataFrame, bad: pl.DataFrame, torn: dict[int, tuple[str, str]]) -> pl.DataFrame:
    rows = []
    contents = bad.select("_line").join(raw, on="_line", how="left", maintain_order="left").drop("_line")
    for (line, broken), content in zip(bad.iter_rows(), contents.iter_rows(named=True), strict=True):
        reason, text = torn.get(line) or (broken, json.dumps(content, default=str))
        rows.append((line, reason, text.encode()))
    return pl.DataFrame(
        rows, schema={"offset": pl.Int64, "reason": pl.String, "value": pl.Binary}, orient="row"
    ).select(
        pl.lit(f"file:{file.name}").alias("topic"),
        pl.lit(0, pl.Int32).alias("partition"),
        "offset",
        "reason",
        pl.lit(None, pl.Binary).alias("key"),
        "value",
        pl.lit(0).cast(TIME).alias("at"),
    )


def load_table(file: Path) -> pl.DataFrame:
    """A reference table as it stands in its file; times of CSV and JSON as ISO text are parsed."""
    frame, torn = _load(file)
    if torn:
        line, (reason, _) = next(iter(torn.items()))
        raise InvalidInputError(f"{file}: line {line} is {reason}")
    frame = frame.drop("_line")
    times = [c for c in ("start", "end", "at") if c in frame.columns and frame.schema[c] == pl.String]
    return frame.with_columns(time_or_day(pl.col(c)).alias(c) for c in times)


def time_or_day(value: pl.Expr) -> pl.Expr:
    """Text as time (UTC): as of events, or to the minute, or a day (``2026-01-31``, ``2026/01/31``) or a month."""
    iso = value.str.replace(" ", "T").str.replace_all("/", "-")
    minute = iso.str.to_datetime("%Y-%m-%dT%H:%M", time_unit="ms", strict=False)
    day, month = (
        text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("ms")) for text in (iso, iso + pl.lit("-01"))
    )
    return pl.coalesce(time_of(value), pl.coalesce(minute, day, month).dt.replace_time_zone("UTC"))


def load_text_table(file: Path) -> tuple[pl.DataFrame, list[str]]:
    """A user's table with whatever columns, CSV (comma, semicolon or tab) as text; and what there was to say.

    A byte of a CSV file that is no UTF-8 counts as one unknown character: lengths stay right, words do not matter.

    Raises:
        InvalidInputError: no file, no table, or a line that is none of its rows.
    """
    if file.suffix.lower() not in (".csv", ".tsv", ".txt") or not file.is_file():
        return load_table(file), []
    content = file.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        content = content.decode("utf-16", errors="replace").encode()
    head = content.split(b"\n", 1)[0]
    separator = max(",;\t", key=lambda mark: head.count(mark.encode()))
    try:
        frame = pl.read_csv(
            content, infer_schema=False, truncate_ragged_lines=True, encoding="utf8-lossy", separator=separator
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(), []
    except pl.exceptions.PolarsError as error:
        raise InvalidInputError(f"{file}: not readable as a table ({error})") from error
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return frame, [f"not UTF-8 from byte {error.start} on: such bytes count as unknown characters"]
    return frame, []

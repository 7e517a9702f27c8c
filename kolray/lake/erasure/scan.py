"""Looks for a KOL in every file of the lake: data files, also old, orphaned and half-written ones, logs and their
checkpoints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake.fs import DeltaStorageHandler

from kolray.lake import leases
from kolray.lake.erasure.trace import Trace
from kolray.lake.places import storage_options
from kolray.lake.tables import LakeTables
from kolray.settings import Place

LOG = "_delta_log"
ROWS = 200_000
"""Rows decoded at a time."""


def every_file(folder: Place) -> tuple[pafs.FileSystem, list[str]]:
    """A folder as a file system, and the paths of all files under it.

    Of a local folder not by Delta's own view, which hides what a killed writer left half written.
    """
    if folder.remote:
        store = pafs.PyFileSystem(DeltaStorageHandler(folder.url, storage_options(folder)))
    else:
        store = pafs.SubTreeFileSystem(folder.url, pafs.LocalFileSystem())
    found = store.get_file_info(pafs.FileSelector("", recursive=True))
    return store, sorted(info.path for info in found if info.type == pafs.FileType.File)


def files_with(tables: LakeTables, trace: Trace) -> list[str]:
    """Files under the lake's root that hold anything of the KOL, whether a table needs them or not; Parquet decoded."""
    store, paths = every_file(tables.root)
    return [path for path in paths if not path.startswith(f"{leases.FOLDER}/") and _holds(store, path, trace)]


def table_of(path: str) -> str:
    """The table whose folder a path under the root is in."""
    return ".".join(path.split("/")[:2])


def _holds(store: pafs.FileSystem, path: str, trace: Trace) -> bool:
    is_log = f"/{LOG}/" in path
    if path.endswith(".parquet"):
        with store.open_input_file(path) as file:
            return any(_in_log(rows, trace) if is_log else _in_rows(rows, trace) for rows in _rows(file, is_log))
    with store.open_input_stream(path) as stream:
        data: bytes = stream.read()
    return _in_entry(data, trace) if is_log and path.endswith(".json") else trace.in_bytes(data)


def _rows(file: pa.NativeFile, is_log: bool) -> Iterator[pa.RecordBatch]:
    parquet = pq.ParquetFile(file)
    texts = [f.name for f in parquet.schema_arrow if is_log or _may_name(f.type)]
    yield from parquet.iter_batches(ROWS, columns=texts)


def _may_name(kind: pa.DataType) -> bool:
    return any(of(kind) for of in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary))


def _in_rows(rows: pa.RecordBatch, trace: Trace) -> bool:
    return trace.clean(pl.DataFrame(pa.Table.from_batches([rows]))).found > 0


def _in_log(rows: pa.RecordBatch, trace: Trace) -> bool:
    """A checkpoint of the log: nested actions, whose statistics are JSON."""
    return any(trace.in_json(action) for action in rows.to_pylist())


def _in_entry(data: bytes, trace: Trace) -> bool:
    return any(trace.in_json(json.loads(line)) for line in data.splitlines() if line.strip())

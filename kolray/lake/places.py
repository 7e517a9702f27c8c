"""Files of the lake on a disk or in a bucket: the little that Delta's own handle does not do."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import obstore
import polars as pl
from deltalake import DeltaTable
from obstore.store import S3Store

from kolray.errors import SettingsError
from kolray.settings import Place
from kolray.stores.s3 import asking, bucket_and_prefix, connection, open_bucket

SETTING = "KOLRAY_LAKE__ROOT"
ANSWER_S = 60
"""Seconds an S3 request and its retries may take: a part of a large file goes up in one."""
RETRIES = 5
PART = 8 << 20
"""Bytes of an upload's part: many days' files are open at once, and S3 takes 10,000 parts of 5 MB or more."""
_PLAIN = re.compile(r"s3://[^/?#]+(/[A-Za-z0-9._-]+)*/?")


class Upload(io.RawIOBase):
    """A new object of a bucket with the methods that Arrow asks of a file; it appears when it is closed.

    Parts go up as they come: no more than three of ``PART`` bytes are in memory.
    """

    def __init__(self, folder: Place, name: str) -> None:
        self._folder, self.size = folder, 0
        self._out = obstore.open_writer(_bucket(folder), name, buffer_size=PART, max_concurrency=2)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with asking(self._folder, SETTING):
            written = self._out.write(data)
        self.size += written
        return written

    def close(self) -> None:
        if not self.closed:
            with asking(self._folder, SETTING):
                self._out.close()
        super().close()


File = Path | Upload


def storage_options(place: Place) -> dict[str, str] | None:
    """How Delta and Polars reach a place; None on a disk.

    A commit is a conditional put of the log's next entry: of two writers that try, one makes it, and the other sees
    that it did not.

    Raises:
        SettingsError: the address names no bucket, or a prefix that cannot be read back.
    """
    if not place.remote:
        return None
    bucket_and_prefix(place, SETTING)
    if not _PLAIN.fullmatch(place.url):
        raise SettingsError(
            f"{SETTING} {place.url!r}: other characters than letters, digits, '.', '_' and '-' come back from Delta in "
            "another spelling than from Polars, and no file would be found. Write s3://BUCKET/PREFIX with these"
        )
    given = {f"aws_{key}": value for key, value in connection(place.s3).items()}
    return given | {"aws_allow_http": "true", "aws_conditional_put": "etag", "timeout": f"{ANSWER_S}s"}


def is_table(folder: Place) -> bool:
    """Whether a Delta table was ever written there.

    Raises:
        ServiceUnavailableError: the bucket cannot be read.
    """
    if not folder.remote:
        return DeltaTable.is_deltatable(folder.url)
    with asking(folder, SETTING):
        return any(obstore.list(_bucket(folder), "_delta_log"))


def open_table(folder: Place) -> DeltaTable:
    """The table's handle, at its newest version.

    Raises:
        TableNotFoundError: there is none.
        ServiceUnavailableError: the bucket cannot be read.
    """
    if not folder.remote:
        return DeltaTable(folder.url)
    with asking(folder, SETTING):
        return DeltaTable(folder.url, storage_options=storage_options(folder))


def scan_table(folder: Place, version: int | None = None) -> pl.LazyFrame:
    """The table's rows, at its newest or a given version."""
    return pl.scan_delta(folder.url, version=version, storage_options=storage_options(folder))


def tables_under(root: Place) -> list[str]:
    """Its tables as ``layer.table``, sorted."""
    if not root.remote:
        return sorted(f"{log.parent.parent.name}.{log.parent.name}" for log in Path(root).glob("*/*/_delta_log"))
    with asking(root, SETTING):
        found = [(layer, table) for layer in _folders(root) for table in _folders(root.join(layer))]
        return sorted(".".join(names) for names in found if is_table(root.join(*names)))


def new_file(folder: Place, name: str) -> File:
    """What Arrow writes a new file to: a path whose folder is there, or an upload that ``close_file`` ends."""
    if folder.remote:
        return Upload(folder, name)
    path = Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def close_file(file: File) -> int:
    """Makes a new file whole, once Arrow has written its end; returns its bytes."""
    if isinstance(file, Path):
        return file.stat().st_size
    file.close()
    return file.size


def delete(folder: Place, names: Iterable[str]) -> None:
    """Deletes files; one that is not there is none."""
    if folder.remote:
        with asking(folder, SETTING):
            for name in names:
                obstore.delete(_bucket(folder), name)
    else:
        for name in names:
            Path(folder, name).unlink(missing_ok=True)


@cache
def _bucket(folder: Place) -> S3Store:
    return open_bucket(folder, SETTING, ANSWER_S, RETRIES)


def _folders(place: Place) -> list[str]:
    found = obstore.list_with_delimiter(_bucket(place))["common_prefixes"]
    return [str(path).rstrip("/").rpartition("/")[2] for path in found]

"""Where checkpoints lie as named objects: a folder, or a bucket of any S3-compatible store.

What a checkpoint needs of either: an object appears whole or not at all, is durable once ``put`` returns, and of two
that ``create`` the same name one succeeds.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Protocol

import obstore
from obstore.exceptions import AlreadyExistsError

from kolray.settings import Place, S3Settings
from kolray.stores.s3 import asking, open_bucket

SETTING = "KOLRAY_STREAM__CHECKPOINTS"
TORN = "."
"""Begins the name of a file that is not whole yet."""
RETRIES = 3
ANSWER_S = 10
"""Seconds an S3 request may take; longer than a few of these, and a shard's loop would seem to hang."""


class Objects(Protocol):
    """Objects under one root; a name is ``FILE`` or ``FOLDER/FILE``."""

    def folders(self) -> list[str]:
        """The folders, sorted."""
        ...

    def names(self, folder: str, after: str = "") -> list[str]:
        """Names in a folder that sort behind ``after``, sorted; without the folder."""
        ...

    def create(self, name: str) -> bool:
        """Makes an empty object; False where there is one of that name already."""
        ...

    def put(self, name: str, data: bytes) -> None: ...

    def get(self, name: str) -> bytes | None:
        """Its bytes; None where there is no such object."""
        ...

    def delete(self, names: list[str]) -> None: ...

    def place(self, name: str) -> str:
        """Where an object is, for a message."""
        ...


class FolderObjects:
    """Files under a folder."""

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    def folders(self) -> list[str]:
        return sorted(place.name for place in self._root.iterdir() if place.is_dir()) if self._root.is_dir() else []

    def names(self, folder: str, after: str = "") -> list[str]:
        place = self._root / folder
        return sorted(file.name for file in place.iterdir() if file.name > after) if place.is_dir() else []

    def create(self, name: str) -> bool:
        path = self._path(name)
        try:
            # O_EXCL is the compare-and-set: of two that try, one makes the file.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        return True

    def put(self, name: str, data: bytes) -> None:
        path = self._path(name)
        temporary = path.with_name(f"{TORN}{path.name}.{uuid.uuid4().hex}")
        with temporary.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)

    def get(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, names: list[str]) -> None:
        for name in names:
            (self._root / name).unlink(missing_ok=True)

    def place(self, name: str) -> str:
        return str(self._root / name)

    def _path(self, name: str) -> Path:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class S3Objects:
    """Objects under a prefix of a bucket; ``create`` is a conditional put (``If-None-Match: *``).

    Args:
        url: ``s3://BUCKET[/PREFIX]``.
        s3: endpoint, region and keys; what it leaves open is taken from the usual ``AWS_*`` variables.

    Raises:
        SettingsError: the address names no bucket.
    """

    def __init__(self, url: str, s3: S3Settings, setting: str = SETTING) -> None:
        self._place, self._setting = Place(url.rstrip("/"), s3), setting
        self._store = open_bucket(self._place, setting, ANSWER_S, RETRIES)

    def folders(self) -> list[str]:
        with asking(self._place, self._setting):
            found = obstore.list_with_delimiter(self._store)["common_prefixes"]
            return sorted(str(path).rstrip("/").rpartition("/")[2] for path in found)

    def names(self, folder: str, after: str = "") -> list[str]:
        with asking(self._place, self._setting):
            pages = obstore.list(self._store, folder, offset=f"{folder}/{after}" if after else None)
            return sorted(str(found["path"]).rpartition("/")[2] for page in pages for found in page)

    def create(self, name: str) -> bool:
        with asking(self._place, self._setting):
            try:
                obstore.put(self._store, name, b"", mode="create")
            except AlreadyExistsError:
                return False
            return True

    def put(self, name: str, data: bytes) -> None:
        with asking(self._place, self._setting):
            obstore.put(self._store, name, data)

    def get(self, name: str) -> bytes | None:
        with asking(self._place, self._setting):
            try:
                return bytes(obstore.get(self._store, name).bytes())
            except FileNotFoundError:
                return None

    def delete(self, names: list[str]) -> None:
        if names:
            with asking(self._place, self._setting):
                obstore.delete(self._store, names)

    def place(self, name: str) -> str:
        return self._place.join(name).url


def open_objects(address: str, s3: S3Settings, setting: str = SETTING) -> Objects:
    """By the address: ``s3://BUCKET/PREFIX`` or a folder. ``setting`` is where it stands, for messages."""
    return S3Objects(address, s3, setting) if "://" in address else FolderObjects(address)

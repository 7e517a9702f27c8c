"""Buckets of any S3-compatible store: how they are reached, for obstore and in the words of Delta and Polars."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from obstore.exceptions import BaseError
from obstore.store import S3Store

from kolray.errors import ServiceUnavailableError, SettingsError
from kolray.settings import Place, S3Settings


def connection(s3: S3Settings) -> dict[str, str]:
    """What is given of endpoint, region and keys; the rest is taken from the usual ``AWS_*`` variables."""
    given = {"endpoint": s3.endpoint, "region": s3.region}
    for key in ("access_key_id", "secret_access_key", "session_token"):
        secret = getattr(s3, key)
        given[key] = secret.get_secret_value() if secret else None
    return {key: value for key, value in given.items() if value is not None}


def bucket_and_prefix(place: Place, setting: str) -> tuple[str, str]:
    """The parts of ``s3://BUCKET/PREFIX``; the prefix may be empty.

    Args:
        setting: the environment variable that names the place, for the message.

    Raises:
        SettingsError: it names no bucket.
    """
    parts = urlsplit(place.url)
    if parts.scheme != "s3" or not parts.netloc:
        raise SettingsError(f"{setting} {place.url!r}: write s3://BUCKET/PREFIX, or a folder")
    return parts.netloc, parts.path.strip("/")


def open_bucket(place: Place, setting: str, answer_s: float, retries: int) -> S3Store:
    """The place as the root of a store.

    Args:
        answer_s: seconds that a request may take, and that its retries may go on.

    Raises:
        SettingsError: the address names no bucket.
    """
    bucket, prefix = bucket_and_prefix(place, setting)
    given: dict[str, Any] = connection(place.s3)
    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={"allow_http": True, "timeout": timedelta(seconds=answer_s)},
        retry_config={"max_retries": retries, "retry_timeout": timedelta(seconds=answer_s)},
        **given,
    )


@contextmanager
def asking(place: Place, setting: str) -> Iterator[None]:
    """Says of what fails inside which server and which setting it was.

    Raises:
        ServiceUnavailableError: the store is away, knows no such bucket, or refuses the keys.
    """
    try:
        yield
    except (BaseError, OSError) as error:
        server = place.s3.endpoint or os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT") or "AWS"
        first = str(error).strip().splitlines()[0]
        advice = f"{first}. Check {setting} ({place}) and KOLRAY_S3__*; the bucket must exist"
        raise ServiceUnavailableError("S3", server, advice) from error

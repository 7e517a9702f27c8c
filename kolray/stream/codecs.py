"""Kafka's compression codecs, by one library."""

from __future__ import annotations

import cramjam

_XERIAL_HEAD = b"\x82SNAPPY\x00"


def decompress(codec: int, data: memoryview) -> bytes:
    """The records section of a batch; ``codec`` as in the batch's attributes: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd.

    Raises:
        ValueError: unknown codec or broken data.
    """
    try:
        if codec == 0:
            return bytes(data)
        if codec == 2:
            return _snappy(bytes(data))
        return bytes(_CODECS[codec].decompress(data))
    except KeyError:
        raise ValueError(f"unknown compression codec {codec}") from None
    except cramjam.DecompressionError as error:
        raise ValueError(f"broken compressed data: {error}") from error


_CODECS = {1: cramjam.gzip, 3: cramjam.lz4, 4: cramjam.zstd}


def _snappy(data: bytes) -> bytes:
    """Plain snappy, or the framing of Java's xerial library that most producers write."""
    if not data.startswith(_XERIAL_HEAD):
        return bytes(cramjam.snappy.decompress_raw(data))
    out, at = [], 16
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        out.append(bytes(cramjam.snappy.decompress_raw(data[at + 4 : at + 4 + size])))
        at += 4 + size
    return b"".join(out)

"""Every codec Kafka knows."""

from __future__ import annotations

import cramjam
import pytest

from kolray.stream.codecs import decompress

DATA = b"kolray " * 500


def _xerial(data: bytes) -> bytes:
    out = b"\x82SNAPPY\x00" + (1).to_bytes(4, "big") * 2
    for at in range(0, len(data), 1000):
        block = bytes(cramjam.snappy.compress_raw(data[at : at + 1000]))
        out += len(block).to_bytes(4, "big") + block
    return out


@pytest.mark.parametrize(
    ("codec", "packed"),
    [
        (0, DATA),
        (1, bytes(cramjam.gzip.compress(DATA))),
        (2, bytes(cramjam.snappy.compress_raw(DATA))),
        (2, _xerial(DATA)),
        (3, bytes(cramjam.lz4.compress(DATA))),
        (4, bytes(cramjam.zstd.compress(DATA))),
    ],
)
def test_data_comes_back(codec: int, packed: bytes) -> None:
    assert decompress(codec, memoryview(packed)) == DATA


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 7])
def test_broken_data_or_an_unknown_codec_is_a_value_error(codec: int) -> None:
    with pytest.raises(ValueError, match=r"codec|broken"):
        decompress(codec, memoryview(b"not compressed at all"))

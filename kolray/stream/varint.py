"""Avro longs (zigzag varints) for compiled code; ``at`` and ``end`` are addresses, address 0 means: there is none."""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from kolray.schemas.memory import byte_at, word_at

TOPS, _REST = np.uint64(0x8080808080808080), np.uint64(0x7F7F7F7F7F7F7F7F)
_ONE = np.uint64(1)


@njit(cache=True, nogil=True)
def avro_long(at, end):
    """A long and the address after it, without a branch for its length.

    The first clear top bit ends it; then sevens of bits are pushed together, two, four and eight at a time.
    """
    word = word_at(at)
    stops = ~word & TOPS
    if stops == 0:
        return _longest(at, end)
    at += np.int64(trailing_zeros(stops) >> np.uint64(3)) + 1
    word &= (stops ^ (stops - _ONE)) & _REST
    word = ((word & np.uint64(0x7F007F007F007F00)) >> _ONE) | (word & np.uint64(0x007F007F007F007F))
    word = ((word & np.uint64(0x3FFF00003FFF0000)) >> np.uint64(2)) | (word & np.uint64(0x00003FFF00003FFF))
    word = ((word & np.uint64(0x0FFFFFFF00000000)) >> np.uint64(4)) | (word & np.uint64(0x000000000FFFFFFF))
    return np.int64(word >> _ONE) ^ -np.int64(word & _ONE), at if at <= end else np.int64(0)


@njit(cache=True, nogil=True)
def _longest(at, end):
    """A long of nine or ten bytes."""
    value = np.uint64(0)
    for k in range(10):
        byte = np.uint64(byte_at(at + k)) if at + k < end else np.uint64(0xFF)
        if k == 9 and byte > 1:
            break
        value |= (byte & np.uint64(0x7F)) << np.uint64(7 * k)
        if byte < 128:
            return np.int64(value >> _ONE) ^ -np.int64(value & _ONE), at + k + 1
    return np.int64(0), np.int64(0)


@njit(cache=True, nogil=True)
def avro_size(at, end):
    """As ``avro_long``, where one byte is what one expects: the length of a text."""
    byte = np.uint64(byte_at(at))
    if byte < 128 and at < end:
        return np.int64(byte >> _ONE) ^ -np.int64(byte & _ONE), at + 1
    return avro_long(at, end)


@njit(cache=True, nogil=True)
def first_bytes(n):
    """A mask of the first ``n`` bytes of a word, 1 to 8."""
    return np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * n)

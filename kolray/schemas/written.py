"""Events written as Avro within Kafka's records, compiled: one pass over columns, no Python object a record.

The inverse of ``stream/records.py``. A column is an address of its values (see ``memory.py``), a field a row of
``fields``; what a record's frame holds besides (attributes, deltas, key, no headers) is written around its value.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from kolray.schemas.memory import byte_at, long_at, put_byte, put_long, put_word, word_at

LONG, TEXT, BOOLEAN, DOUBLE = range(4)
OP, NULL_AT, DATA, ENDS, NULLS = range(0, 40, 8)
"""Bytes from the start of a field's row: what it is; the union branch that is null (-1: no union); addresses of its
values, of a text's offsets (n + 1 longs into the values), and of a byte a row that is 1 where it is null (0: none)."""
FIELD = 40
PADDING = 16
"""Bytes behind what is written, as it is written eight at a time."""
FRAME_BYTES = 40
"""No frame of a record is longer, beside key and value: attributes, end of headers and five varints."""
_MASK = np.uint64(0xFFFFFFFF)
_MIX = np.uint64(0x5BD1E995)
_TOP = np.uint64(0x7FFFFFFF)


@njit(cache=True, nogil=True)
def _width(value):
    """Bytes of a zigzag varint."""
    left, n = np.uint64((value << 1) ^ (value >> 63)) >> np.uint64(7), 1
    while left:
        left, n = left >> np.uint64(7), n + 1
    return n


@njit(cache=True, nogil=True)
def _put_varint(at, value):
    """Writes a zigzag varint; returns the address after it."""
    left = np.uint64((value << 1) ^ (value >> 63))
    while left >= np.uint64(128):
        put_byte(at, np.uint8(left & np.uint64(127)) | np.uint8(128))
        at, left = at + 1, left >> np.uint64(7)
    put_byte(at, np.uint8(left))
    return at + 1


@njit(cache=True, nogil=True)
def _put_text(at, source, size):
    """Copies bytes; returns the address after them."""
    end = at + size
    while size >= 8:
        put_word(at, word_at(source))
        at, source, size = at + 8, source + 8, size - 8
    for k in range(size):
        put_byte(at + k, byte_at(source + k))
    return end


@njit(cache=True, nogil=True)
def body_sizes(fields, n_fields, n, sizes):
    """Fills ``sizes`` (int64) with the bytes of each row's Avro body."""
    sizes[:] = 0
    for f in range(n_fields):
        field = fields + f * FIELD
        op, data, ends, nulls = (
            long_at(field + OP),
            long_at(field + DATA),
            long_at(field + ENDS),
            long_at(field + NULLS),
        )
        branch = 1 if long_at(field + NULL_AT) >= 0 else 0
        for row in range(n):
            size = branch
            if nulls == 0 or byte_at(nulls + row) == 0:
                if op == TEXT:
                    text = long_at(ends + row * 8 + 8) - long_at(ends + row * 8)
                    size += _width(text) + text
                elif op == LONG:
                    size += _width(long_at(data + row * 8))
                else:
                    size += 1 if op == BOOLEAN else 8
            sizes[row] += size


@njit(cache=True, nogil=True)
def _put_body(at, fields, n_fields, row):
    """Writes a row's Avro body; returns the address after it."""
    for f in range(n_fields):
        field = fields + f * FIELD
        op, null_at, data, nulls = (
            long_at(field + OP),
            long_at(field + NULL_AT),
            long_at(field + DATA),
            long_at(field + NULLS),
        )
        null = nulls != 0 and byte_at(nulls + row) != 0
        if null_at >= 0:
            put_byte(at, np.uint8(null_at * 2 if null else 2 - null_at * 2))
            at += 1
        if null:
            continue
        if op == TEXT:
            ends = long_at(field + ENDS)
            first = long_at(ends + row * 8)
            size = long_at(ends + row * 8 + 8) - first
            at = _put_text(_put_varint(at, size), data + first, size)
        elif op == LONG:
            at = _put_varint(at, long_at(data + row * 8))
        elif op == BOOLEAN:
            put_byte(at, byte_at(data + row))
            at += 1
        else:
            put_long(at, long_at(data + row * 8))
            at += 8
    return at


@njit(cache=True, nogil=True)
def put_records(out, fields, n_fields, key_field, rows, sizes, times, first_ms, schema_head):
    """Writes the records section of a batch to the address ``out``; returns its length.

    Args:
        key_field: number of the text field that is the key.
        rows: int64, which rows, in their order. sizes: of the bodies, of all rows. times: Kafka timestamps of all rows.
        schema_head: the first five bytes of each value, as a little-endian number (uint64).
    """
    at = out
    key = fields + key_field * FIELD
    keys, ends = long_at(key + DATA), long_at(key + ENDS)
    for number in range(rows.shape[0]):
        row = rows[number]
        first = long_at(ends + row * 8)
        key_size = long_at(ends + row * 8 + 8) - first
        delta, value_size = times[row] - first_ms, sizes[row] + 5
        frame = 2 + _width(delta) + _width(number) + _width(key_size) + _width(value_size)
        at = _put_varint(at, frame + key_size + value_size)
        put_byte(at, np.uint8(0))
        at = _put_varint(_put_varint(at + 1, delta), number)
        at = _put_text(_put_varint(at, key_size), keys + first, key_size)
        at = _put_varint(at, value_size)
        put_word(at, schema_head)
        at = _put_body(at + 5, fields, n_fields, row)
        put_byte(at, np.uint8(0))
        at += 1
    return at - out


@njit(cache=True, nogil=True)
def _word(at):
    """Four bytes, the first being the lowest."""
    low = np.uint64(byte_at(at)) | np.uint64(byte_at(at + 1)) << np.uint64(8)
    return low | np.uint64(byte_at(at + 2)) << np.uint64(16) | np.uint64(byte_at(at + 3)) << np.uint64(24)


@njit(cache=True, nogil=True)
def partitions_of(fields, key_field, n_partitions, out):
    """Fills ``out`` (int16) with the partition of each row's key: murmur2, as Java's default partitioner has it."""
    key = fields + key_field * FIELD
    keys, ends = long_at(key + DATA), long_at(key + ENDS)
    for row in range(out.shape[0]):
        at, stop = keys + long_at(ends + row * 8), keys + long_at(ends + row * 8 + 8)
        size = stop - at
        mixed = np.uint64(0x9747B28C) ^ np.uint64(size)
        while stop - at >= 4:
            word = (_word(at) * _MIX) & _MASK
            word ^= word >> np.uint64(24)
            mixed = ((mixed * _MIX) & _MASK) ^ ((word * _MIX) & _MASK)
            at += 4
        if stop > at:
            for k in range(stop - at):
                mixed ^= np.uint64(byte_at(at + k)) << np.uint64(8 * k)
            mixed = (mixed * _MIX) & _MASK
        mixed ^= mixed >> np.uint64(13)
        mixed = (mixed * _MIX) & _MASK
        mixed ^= mixed >> np.uint64(15)
        out[row] = (mixed & _TOP) % np.uint64(n_partitions)

"""The first way in, compiled: one pass over the bytes of many record batches, every record verified as it is read.

The records section of a Kafka v2 batch is byte for byte Avro: its varints are Avro longs, its length-prefixed keys
Avro bytes, and behind a value's five bytes of wire head stand the event's fields. ``scan`` walks both at once by a
program made from the writer's schema (``program.py``). It believes a record only if every byte of its frame is as a
writer must have left it, every field ends where the record ends, and every value keeps its rule; all others it flags,
for the careful ways to judge. So what it accepts is a subset of what they accept, with the same values.

``at`` and ``end`` are addresses (see ``memory.py``). Memory is read eight bytes at a time from any place, so
``PADDING`` bytes must stand behind all data.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from kolray.schemas.memory import byte_at, long_at, put_byte, put_int, put_long, put_word, word_at
from kolray.stream.varint import TOPS, avro_long, avro_size, first_bytes

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

PADDING = 16
LONG, TEXT, BOOLEAN, DOUBLE, FLOAT, FIXED = range(6)
OP, NULL_AT, OUT, LOW, HIGH, CHOICES, ROLE, NEEDED = range(0, 64, 8)
"""Bytes from the start of a field's row in a program: what it is; the union branch that is null (-1: no union); the
column it goes to (-1: read and checked only); bounds of the number, or of the text's length in bytes; whether the text
is one of those allowed; its role; and whether null breaks a rule."""
FIELD = 64
"""Bytes of a field's row."""
PLAIN, KEY, EVENT_TIME = range(3)
CHOICE = 40
"""Bytes of an allowed text's row: its length as a long, then the text, padded with zeros."""
GOOD, DOUBTED, BEFORE = range(3)
"""Flags of a record: believed; to be judged by the careful ways; before the offset that was asked for."""
HEAD, FIRST, COUNT, BASE, WANTED, FIRST_MS, APPEND_MS = range(7)
"""Columns of ``batches``: place of the first byte (in the next row: of the end); first row; records; base offset; first
offset wanted; timestamp of the first record; append time (-1: none)."""
LARGEST_BITS = np.uint64(0x7FEFFFFFFFFFFFFF)
"""The largest finite double; as unsigned numbers, all others that are not negative are smaller."""


@njit(cache=True, nogil=True)
def is_utf8(at, end):
    """Whether these bytes are UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF)."""
    while at < end:
        byte = byte_at(at)
        if byte < 0x80:
            at += 1
            continue
        more = 1 if byte < 0xE0 else (2 if byte < 0xF0 else 3)
        low = 0xA0 if byte == 0xE0 else (0x90 if byte == 0xF0 else 0x80)
        high = 0x9F if byte == 0xED else (0x8F if byte == 0xF4 else 0xBF)
        if byte < 0xC2 or byte > 0xF4 or at + more >= end or not low <= byte_at(at + 1) <= high:
            return False
        for k in range(2, more + 1):
            if byte_at(at + k) & 0xC0 != 0x80:
                return False
        at += more + 1
    return True


@njit(cache=True, nogil=True)
def _same(at, size, other):
    """Whether two runs of bytes are equal."""
    while size > 8:
        if word_at(at) != word_at(other):
            return False
        at, other, size = at + 8, other + 8, size - 8
    return size == 0 or (word_at(at) ^ word_at(other)) & first_bytes(size) == 0


@njit(cache=True, nogil=True)
def _plausible(at, size):
    """Whether a text is UTF-8."""
    seen, left, place = np.uint64(0), size, at
    while left > 8:
        seen |= word_at(place)
        place, left = place + 8, left - 8
    if left > 0:
        seen |= word_at(place) & first_bytes(left)
    return seen & TOPS == 0 or is_utf8(at, at + size)


@njit(cache=True, nogil=True)
def _chosen(at, size, choices, n_choices):
    """Whether a text is one of the allowed ones."""
    for k in range(n_choices):
        choice = choices + k * CHOICE
        if long_at(choice) == size and _same(at, size, choice + 8):
            return True
    return False


@njit(cache=True, nogil=True)
def _text(at, end, field, key, key_size, choices, n_choices):
    """A text's length and first byte, at 0 on any doubt."""
    size, at = avro_size(at, end)
    if at == 0 or size < long_at(field + LOW) or size > long_at(field + HIGH) or size > end - at:
        return np.int64(0), np.int64(0)
    if long_at(field + ROLE) == KEY and (size != key_size or not _same(at, size, key)):
        return np.int64(0), np.int64(0)
    if long_at(field + CHOICES) and not _chosen(at, size, choices, n_choices):
        return np.int64(0), np.int64(0)
    return size, at if _plausible(at, size) else np.int64(0)


@njit(cache=True, nogil=True)
def _number(at, end, field, kafka_ms, far_ms):
    """A long and the address after it, 0 on any doubt."""
    value, at = avro_long(at, end)
    if value < long_at(field + LOW) or value > long_at(field + HIGH):
        return value, np.int64(0)
    if long_at(field + ROLE) == EVENT_TIME and value - kafka_ms > far_ms:
        return value, np.int64(0)
    return value, at


@njit(cache=True, nogil=True)
def _bits(at, end, field):
    """The bits of a field that is no long and no text, and the address after it, 0 on any doubt."""
    op = long_at(field + OP)
    width = long_at(field + HIGH) if op == FIXED else (8 if op == DOUBLE else (4 if op == FLOAT else 1))
    if width > end - at:
        return np.int64(0), np.int64(0)
    if op == FIXED:
        return np.int64(0), at + width
    value = word_at(at) & first_bytes(width)
    ruled = op == DOUBLE and long_at(field + LOW) == 0
    if (op == BOOLEAN and value > 1) or (ruled and value > LARGEST_BITS):
        return np.int64(0), np.int64(0)
    return np.int64(value), at + width


@njit(cache=True, nogil=True)
def _null(field, row, n, ints, nulls, sizes):
    """Writes a null; false where a rule forbids it."""
    out = long_at(field + OUT)
    if out >= 0 and long_at(field + OP) == TEXT:
        put_int(sizes + (out * n + row) * 4, -1)
    elif out >= 0:
        put_long(ints + (out * n + row) * 8, 0)
        put_byte(nulls + out * n + row, 1)
    return long_at(field + NEEDED) == 0


@njit(cache=True, nogil=True)
def _body(
    at, end, row, n, key, key_size, kafka_ms, far_ms, program, n_fields, choices, n_choices, ints, nulls, spots, sizes
):
    """One event's fields into their columns; returns whether all of it is believed."""
    for f in range(n_fields):
        field = program + f * FIELD
        op, out, null_at = long_at(field + OP), long_at(field + OUT), long_at(field + NULL_AT)
        if null_at >= 0:
            branch = np.int64(byte_at(at))
            at += 1
            if branch == null_at * 2:
                if not _null(field, row, n, ints, nulls, sizes):
                    return False
                continue
            if branch != 2 - null_at * 2:
                return False
        if op == TEXT:
            size, at = _text(at, end, field, key, key_size, choices, n_choices)
            if out >= 0:
                put_long(spots + (out * n + row) * 8, at)
                put_int(sizes + (out * n + row) * 4, size)
            value, at, out = np.int64(0), at + size if at else at, np.int64(-1)
        elif op == LONG:
            value, at = _number(at, end, field, kafka_ms, far_ms)
        else:
            value, at = _bits(at, end, field)
        if at == 0:
            return False
        if out >= 0:
            put_long(ints + (out * n + row) * 8, value)
    return at == end


@njit(cache=True, nogil=True)
def _frame(at, end, number, schema_head):
    """A record's frame: delta of its timestamp, its key, the key's length and its body; all 0 on any doubt."""
    nothing = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    delta_ms, place = avro_long(at + 1, end)
    if byte_at(at) != 0 or place == 0:
        return nothing
    nth, place = avro_long(place, end)
    if place == 0 or nth != number:
        return nothing
    key_size, key = avro_size(place, end)
    if key == 0 or key_size < 0 or key_size > end - key:
        return nothing
    value_size, value = avro_long(key + key_size, end)
    if value == 0 or value_size < 5 or value_size != end - value - 1 or byte_at(end - 1) != 0:
        return nothing
    if word_at(value) & np.uint64(0xFFFFFFFFFF) != schema_head:
        return nothing
    return delta_ms, key, key_size, value + 5


@njit(cache=True, nogil=True)
def scan(
    data, batches, schema_head, far_ms, program, n_fields, choices, n_choices,
    flags, offsets, times, ints, nulls, spots, sizes,
):  # fmt: skip
    """Reads every record of ``batches`` into row ``FIRST + its number`` of the output columns.

    Args:
        data: address of the batches' sections, joined, and ``PADDING``.
        batches: int64, one row a batch and one more whose ``HEAD`` is the end.
        schema_head: the first five bytes of a value, as a little-endian number (uint64).
        far_ms: event time may be so far ahead of the Kafka timestamp.
        program, choices: addresses of ``n_fields`` rows of ``FIELD`` and ``n_choices`` rows of ``CHOICE`` bytes.
        flags (uint8), offsets, times (int64; Kafka timestamps): arrays, one entry a record.
        ints (int64), nulls (bool), spots (int64; addresses), sizes (int32; -1: null): addresses of the columns of
            numbers and texts, one after the other.
    """
    n = flags.shape[0]
    for b in range(batches.shape[0] - 1):
        at, stop = data + batches[b, HEAD], data + batches[b + 1, HEAD]
        first, count = batches[b, FIRST], batches[b, COUNT]
        for i in range(count):
            row = first + i
            flags[row], offsets[row] = DOUBTED, batches[b, BASE] + i
            size, at = avro_long(at, stop)
            if at == 0 or size < 1 or size > stop - at:
                at = np.int64(0)
                break
            end, start = at + size, at
            at = end
            if offsets[row] < batches[b, WANTED]:
                flags[row] = BEFORE
                continue
            delta_ms, key, key_size, body = _frame(start, end, i, schema_head)
            times[row] = batches[b, APPEND_MS] if batches[b, APPEND_MS] >= 0 else batches[b, FIRST_MS] + delta_ms
            if body and _body(
                body, end - 1, row, n, key, key_size, times[row], far_ms,
                program, n_fields, choices, n_choices, ints, nulls, spots, sizes,
            ):  # fmt: skip
                flags[row] = GOOD
        if at != stop:
            flags[first : first + count] = DOUBTED
            offsets[first : first + count] = batches[b, BASE] + np.arange(count)


@njit(cache=True, nogil=True)
def gather(spots, sizes, ends, out):
    """Copies one text column; null texts are empty.

    Args:
        spots: int64, the texts' addresses. sizes: int32, their lengths in bytes.
        ends: int64, records + 1: where each text ends in ``out``.
        out: address of the target, which is padded too.
    """
    at = 0
    for row in range(spots.shape[0]):
        spot = spots[row]
        for k in range(0, sizes[row], 8):
            put_word(out + at + k, word_at(spot + k))
        at += max(0, sizes[row])
        ends[row + 1] = at

"""A set of 64-bit hashes for compiled code: open addressing, linear probing, at most half full. 0 is an empty slot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

SMALLEST = 1024


def empty_set(n: int) -> Hashes:
    """A table with room for ``n`` hashes; its length is a power of two."""
    return np.zeros(max(SMALLEST, 1 << (2 * n - 1).bit_length()), np.uint64)


@njit(cache=True, nogil=True)
def insert(table: Hashes, hashes: Hashes, skip: Flags) -> int:
    """Adds the hashes that are not skipped, and marks those that are in the set already as ``skip``.

    The table needs room for all of them. Returns how many were new.
    """
    mask = np.uint64(table.shape[0] - 1)
    new = 0
    for i in range(hashes.shape[0]):
        if skip[i]:
            continue
        value = hashes[i] if hashes[i] != 0 else np.uint64(1)
        slot = value & mask
        while table[slot] != 0 and table[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        if table[slot] == value:
            skip[i] = True
        else:
            table[slot] = value
            new += 1
    return new


@njit(cache=True, nogil=True)
def mark_known(table: Hashes, hashes: Hashes, known: Flags) -> None:
    """Marks the hashes that are in the set."""
    mask = np.uint64(table.shape[0] - 1)
    for i in range(hashes.shape[0]):
        if known[i]:
            continue
        value = hashes[i] if hashes[i] != 0 else np.uint64(1)
        slot = value & mask
        while table[slot] != 0 and table[slot] != value:
            slot = (slot + np.uint64(1)) & mask
        known[i] = table[slot] == value

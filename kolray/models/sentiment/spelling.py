"""Texts in one spelling, as numbers: code points end to end, and a hash of each word. No loop over texts.

A text is lower-cased, its words and signs stand apart by one space each, and it begins and ends with a space. The
``folded`` spelling has no diacritics.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kolray.models.sentiment.ngrams import strip_diacritics

MAX_CHARS = 4_096
"""A longer text is judged by its beginning: one text must not cost what thousands do."""
T = TypeVar("T", bound=np.generic)
Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Floats = NDArray[np.floating[Any]]
"""Single precision wherever many are kept."""
_SPACE = 32
_ADDRESS, _MENTION = r"https?://\S+|www\.\S+", r"@[\p{L}\p{N}_.]+"
"""Whoever and whatever they name was seldom named in training."""
_PRIME32, _PRIME64 = np.uint32(0x01000193), np.uint64(0x100000001B3)
_SPREAD = np.uint32(0x9E3779B1)


@dataclass(frozen=True)
class Spelled:
    """Texts in one spelling, one after the other.

    ``codes``: code points, ``lengths`` of them a text. ``words``: hashes, ``n_words`` a text (0 for a blank text).
    """

    codes: NDArray[np.uint32]
    lengths: Ints
    words: Hashes
    n_words: Ints

    @classmethod
    def of(cls, texts: pl.Series) -> Spelled:
        """Texts that ``lowered`` or ``folded`` gave."""
        apart = texts.str.replace_all(r"([^\p{L}\p{M}\p{N}_\s])", " $1 ").str.replace_all(r"\s+", " ")
        framed = (" " + apart.str.strip_chars(" ") + " ").to_list()
        lengths = np.fromiter(map(len, framed), np.int64, len(framed))
        codes = np.frombuffer("".join(framed).encode("utf-32-le", "replace"), np.uint32)
        words, begins = _words(codes)
        ends = np.cumsum(lengths)
        return cls(codes, lengths, words, np.diff(np.searchsorted(begins, ends), prepend=0).astype(np.int64))

    def char_grams(self, sizes: tuple[int, ...], buckets: int) -> Iterator[Ints]:
        """For each size a bucket from 1 on for every code point; 0 where the n-gram would leave its text."""
        left, hashed = _left(self.lengths), self.codes * _PRIME32
        for size in range(1, max(sizes) + 1):
            if size > 1:
                hashed = (hashed ^ _following(self.codes, size)) * _PRIME32
            if size in sizes:
                mixed = (hashed ^ (hashed >> np.uint32(15))) * _SPREAD >> np.uint32(7)
                yield np.where(left >= size, mixed % np.uint32(buckets - 1) + np.uint32(1), 0).astype(np.int64)

    def word_grams(self, sizes: tuple[int, ...], buckets: int) -> Iterator[Ints]:
        """For each size a bucket from 1 on for every word; 0 where the n-gram would leave its text."""
        left, hashed = _left(self.n_words), self.words * _PRIME64
        for size in range(1, max(sizes) + 1):
            if size > 1:
                hashed = (hashed ^ _following(self.words, size)) * _PRIME64
            if size in sizes:
                mixed = hashed ^ (hashed >> np.uint64(31))
                yield np.where(left >= size, mixed % np.uint64(buckets - 1) + np.uint64(1), 0).astype(np.int64)


def lowered(texts: pl.Series) -> pl.Series:
    """Lower case, composed, at most ``MAX_CHARS``, any address a ``/`` and any mention an ``@``; null is empty."""
    plain = texts.cast(pl.String).fill_null("").str.slice(0, MAX_CHARS).str.to_lowercase().str.normalize("NFC")
    return plain.str.replace_all(_ADDRESS, " / ").str.replace_all(_MENTION, " @ ")


def folded(texts: pl.Series) -> pl.Series:
    """What ``lowered`` gave, without diacritics."""
    return strip_diacritics(texts)


def _words(codes: NDArray[np.uint32]) -> tuple[Hashes, Ints]:
    """The hash of each word and where it begins: a polynomial of its code points, whatever stands around it."""
    space = codes == _SPACE
    begins = np.flatnonzero(space[:-1] & ~space[1:]) + 1
    if not len(begins):
        return np.empty(0, np.uint64), begins
    places = np.arange(len(codes))
    within = places - np.maximum.accumulate(np.where(space, places, 0))
    powers = np.full(int(within.max()) + 1, _PRIME64)
    powers[0] = 1
    terms = np.where(space, 0, codes).astype(np.uint64) * np.multiply.accumulate(powers)[within]
    hashed = np.add.reduceat(terms, begins)
    return hashed ^ (hashed >> np.uint64(29)), begins


def _left(lengths: Ints) -> Ints:
    """For each item how many of its text are left, itself included."""
    ends = np.cumsum(lengths)
    return np.repeat(ends, lengths) - np.arange(int(lengths.sum()))


def _following(items: NDArray[T], size: int) -> NDArray[T]:
    """Each item's follower ``size - 1`` places on; 0 beyond the end."""
    out = np.zeros_like(items)
    out[: max(len(items) - size + 1, 0)] = items[size - 1 :]
    return out

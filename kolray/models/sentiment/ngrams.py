"""Character n-grams of texts as hashed buckets: columns in, columns out, no loop over texts.

A text is lower-cased, put between spaces and, where it has diacritics, followed by itself without them, so that
"đẹp quá" and "dep qua" share most of their n-grams.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

BUCKETS = 1 << 16
SIZES = (2, 3, 4, 5)
_PRIME = np.uint32(0x01000193)
_MAX_CHARS = 512
"""A longer comment is judged by its beginning: one text must not cost what thousands do."""


def prepare(texts: pl.Series) -> pl.Series:
    """The String series that n-grams are taken from; null and empty texts become a single space."""
    plain = texts.fill_null("").str.slice(0, _MAX_CHARS).str.to_lowercase().str.normalize("NFC")
    folded = strip_diacritics(plain)
    frame = pl.DataFrame({"plain": plain, "folded": folded})
    both = pl.concat_str("plain", pl.lit(" \n "), "folded")
    whole = pl.when(pl.col("plain") == pl.col("folded")).then("plain").otherwise(both)
    return frame.select(text=pl.concat_str(pl.lit(" "), whole, pl.lit(" "))).to_series()


def strip_diacritics(texts: pl.Series) -> pl.Series:
    """Vietnamese (and any Latin) text without its marks.

    >>> strip_diacritics(pl.Series(["đẹp quá"])).to_list()
    ['dep qua']
    """
    return texts.str.normalize("NFD").str.replace_all(r"\p{M}", "").str.replace_all("đ", "d").str.replace_all("Đ", "D")


def buckets(prepared: list[str]) -> tuple[Iterator[NDArray[np.int64]], NDArray[np.int64]]:
    """Buckets of all n-grams of non-empty texts.

    Returns:
        for each n-gram size an array with one bucket a character (0 where the n-gram would leave its text), and the
        position of each text's first character.
    """
    lengths = np.fromiter(map(len, prepared), dtype=np.int64, count=len(prepared))
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    codes = np.frombuffer("".join(prepared).encode("utf-32-le", "replace"), dtype=np.uint32)
    left = np.repeat(starts + lengths, lengths) - np.arange(len(codes))
    return _sizes(codes, left), starts


def _sizes(codes: NDArray[np.uint32], left: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    hashed = codes * _PRIME
    for size in range(2, max(SIZES) + 1):
        following = np.zeros_like(codes)
        following[: max(len(codes) - size + 1, 0)] = codes[size - 1 :]
        hashed = (hashed ^ following) * _PRIME
        mixed = hashed ^ (hashed >> np.uint32(15))
        if size in SIZES:
            yield np.where(left >= size, mixed % np.uint32(BUCKETS - 1) + 1, 0).astype(np.int64)

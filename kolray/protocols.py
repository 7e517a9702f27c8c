"""What a left layer needs from a right one, as protocols passed in."""

from __future__ import annotations

from typing import Protocol

import polars as pl


class TextClassifier(Protocol):
    """Sentiment of comments.

    ``classify`` takes a String series and returns an Int8 series of the same length: -1 negative, 0 neutral,
    1 positive; null and empty texts are neutral.
    """

    @property
    def version(self) -> str: ...

    def classify(self, texts: pl.Series) -> pl.Series: ...


class BatchScorer(Protocol):
    """Trust scores of many KOLs at once by the champion of the moment, for the stream.

    ``score`` returns the columns of the metrics store's scores, ``platform`` and ``category`` (null where unknown), at
    most one row a KOL: none for a KOL without features, or whose score would be the one that is held. It raises
    ``NotFoundError`` while there is no champion and ``ServiceUnavailableError`` while a server is away.
    """

    def score(self, kol_ids: list[str]) -> pl.DataFrame: ...


class Scorer(Protocol):
    """A trust model.

    ``score`` takes one row a KOL (``kol_id`` and the features of ``kolray.features``; missing columns are null) and
    returns ``kol_id, trust_score, lower, upper, probability``: scores in 0–100, higher = more trustworthy;
    ``probability`` in 0–1 that the audience is bought.
    """

    version: str

    def score(self, features: pl.DataFrame) -> pl.DataFrame: ...

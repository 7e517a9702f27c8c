"""Which sentiment model judges which comments: a version is in force from one pane's start until another's.

The list of (start in ms, version) is part of the checkpoint, so a comment is judged by the same model whenever it is
read again, and ``verify`` knows which. A model changes where no event was counted yet: a pane is never judged by two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from kolray.protocols import TextClassifier

NONE = "none"
"""The version of a stream without a sentiment model."""
Span = tuple[int, str]
FindModel = Callable[[str], TextClassifier | None]
"""The model of a version; None where it is not kept, and for ``NONE``."""


def no_model(version: str) -> TextClassifier | None:
    """A ``FindModel`` that keeps none."""
    del version
    return None


def switched(spans: Sequence[Span], version: str, free_ms: int) -> list[Span]:
    """The spans when ``version`` comes into force.

    Args:
        free_ms: start of the first pane that no event has touched, nor any later one.
    """
    if spans and spans[-1][1] == version:
        return list(spans)
    used = [span for span in spans if span[0] < free_ms]
    if used and used[-1][1] == version:
        return used
    return [*used, (free_ms if used else 0, version)]


def mixed(spans: Sequence[Span], version: str, since_ms: int, find: FindModel) -> list[Span]:
    """The spans where models that are gone must be stood in for by ``version`` from ``since_ms`` on.

    Those panes are judged by two models after all. They are named ``old+new``, a version nobody has.
    """
    out: list[Span] = []
    for (start, old), (end, _) in pairwise([*spans, (1 << 62, "")]):
        gone = old != NONE and version not in old.split("+") and find(old) is None
        if start < since_ms or not gone:
            out.append((start, old))
        if gone and end > since_ms:
            out.append((max(start, since_ms), f"{old}+{version}"))
    return out


def spoken(social: pl.DataFrame) -> pl.Series:
    """Boolean: the event is a comment with a text."""
    return (social["event_type"] == "comment") & social["text"].is_not_null()


def in_force(social: pl.DataFrame, spans: Sequence[Span]) -> pl.Series:
    """The place in ``spans`` of each event's model."""
    starts = np.array([start for start, _ in spans], dtype=np.int64)
    return pl.Series(np.searchsorted(starts, social["event_time"].dt.epoch("ms").to_numpy(), side="right") - 1)


def with_sentiment(social: pl.DataFrame, spans: Sequence[Span], find: FindModel) -> pl.DataFrame:
    """Adds ``sentiment`` (-1, 0, 1) to comments, in one batch a model; null where there is none."""
    places = spoken(social).arg_true()
    column = pl.Series("sentiment", [None], dtype=pl.Int8).new_from_index(0, social.height)
    if len(places):
        comments = social.select("event_time", "text")[places]
        of = in_force(comments, spans)
        for span in of.unique():
            model, mine = find(spans[span][1]), (of == span).arg_true()
            if model is not None:
                column = column.scatter(places.gather(mine), model.classify(comments["text"].gather(mine)))
    return social.with_columns(column)

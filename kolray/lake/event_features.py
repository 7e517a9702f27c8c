"""Features of events that stand in no lake: of a file, or of a request. The same definition, by the same rules."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from kolray.events import Kind
from kolray.features import compute_features
from kolray.lake.quality import is_broken
from kolray.lake.silver import with_signals
from kolray.protocols import TextClassifier


def features_of_events(
    social: pl.DataFrame, web: pl.DataFrame, as_of: datetime, classifier: TextClassifier | None
) -> pl.DataFrame:
    """``FEATURE_SCHEMA`` of the KOLs of some events, as the lake would say it had it held these alone.

    Args:
        social, web: ``events.SCHEMAS``; broken events and further copies of an id are left out, as silver does. All
            are known as soon as they happen.
        classifier: judges the comments; none: their sentiment is unknown.
    """
    refined = _refined("social", social, classifier), _refined("web", web, classifier)
    return compute_features(refined[0].lazy(), refined[1].lazy(), as_of)


def _refined(kind: Kind, events: pl.DataFrame, classifier: TextClassifier | None) -> pl.DataFrame:
    sound = events.filter(~is_broken(kind)).unique("event_id", keep="first", maintain_order=True)
    return with_signals(kind, sound.with_columns(available_at="event_time"), classifier)

"""Features of a generated world straight from the generator: no Kafka, no lake, a cohort at a time."""

from __future__ import annotations

from functools import partial

import polars as pl

from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.events import TIME
from kolray.features import compute_features
from kolray.lake.silver import with_signals
from kolray.models.sentiment import default_classifier
from kolray.models.worlds import spread


def build_table(config: WorldConfig, processes: int | None = None) -> pl.DataFrame:
    """``FEATURE_SCHEMA`` as of the world's end; an event is known from its arrival.

    Cohorts share no author, so they can be made apart: the table is that of all events at once. Events that break a
    rule or come twice are not sorted out: ask for a world without them.
    """
    return pl.concat(spread(partial(cohort_features, config), range(config.cohorts), processes))


def cohort_features(config: WorldConfig, cohort: int) -> pl.DataFrame:
    """The features of one cohort's KOLs."""
    social, web = cohort_events(config, cohort)
    return compute_features(social.lazy(), web.lazy(), config.end)


def cohort_events(config: WorldConfig, cohort: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One cohort's social and web events with silver's columns."""
    made = list(batches(build_world(config, range(cohort, cohort + 1))))
    social = pl.concat([b.social.with_columns(available_at=b.social_ms.cast(TIME)) for b in made])
    web = pl.concat([b.web.with_columns(available_at=b.web_ms.cast(TIME)) for b in made])
    return with_signals("social", social, default_classifier()), web

"""Features of events that a request brings along: a score for who is in no lake, or for what might have been."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from kolray.connectors.files import FileEvents, read_rows
from kolray.errors import InvalidInputError
from kolray.events import KINDS, SCHEMAS, Kind
from kolray.lake.event_features import features_of_events
from kolray.models.sentiment import default_classifier
from kolray.serving.feature_sources import Features


def features_given(kol_id: str, rows: list[dict[str, Any]], as_of: datetime) -> Features:
    """The features at ``as_of`` by the one definition; nothing is kept.

    Args:
        rows: events as ``kolray ingest file`` takes them, all of this KOL (``kol_id`` may be left out); those with a
            ``campaign_id`` are web events.

    Raises:
        InvalidInputError: an event of another KOL or a broken one, or none before ``as_of``.
    """
    if foreign := {str(row["kol_id"]) for row in rows if row.get("kol_id", kol_id) != kol_id}:
        raise InvalidInputError(f"events of {', '.join(sorted(foreign))}: give those of {kol_id} alone")
    frames = {kind: pl.DataFrame(schema=SCHEMAS[kind]) for kind in KINDS}
    for kind in KINDS:
        mine = [row | {"kol_id": kol_id} for row in rows if _kind(row) == kind]
        if mine:
            read = _read(mine, kind)
            if read.dead.height:
                raise InvalidInputError(f"{kind} event {read.dead['offset'][0]} is broken: {read.dead['reason'][0]}")
            frames[kind] = read.frame
    found = features_of_events(frames["social"], frames["web"], as_of, default_classifier())
    if not found.height:
        raise InvalidInputError(f"no event in the 28 days before {as_of.isoformat()}")
    return Features(found.row(0, named=True), as_of, "request")


def _read(rows: list[dict[str, Any]], kind: Kind) -> FileEvents:
    try:
        return read_rows(rows, kind, "request")
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:  # no column can hold what they have there
        raise InvalidInputError(f"{kind} events have values of kinds that do not go together: {error}") from error


def _kind(row: dict[str, Any]) -> Kind:
    return "web" if "campaign_id" in row else "social"

"""Scores of many KOLs in one go: one round trip for the features, one read of the lake for the rest, one scoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import polars as pl

from kolray.errors import ServiceUnavailableError
from kolray.events import TIME
from kolray.models.forecasts import RANKED
from kolray.models.registry import LoadedModel
from kolray.serving.contracts import BatchAnswer, BatchError, BatchItem, ScoreAnswer
from kolray.serving.explained import score_answer
from kolray.serving.feature_sources import Features
from kolray.serving.scoring import ScoringGraph


def score_batch(graph: ScoringGraph, kol_ids: Sequence[str]) -> BatchAnswer:
    """Each KOL's score as ``ScoringGraph.score`` gives it, by the same model; who is unknown or erased has an error.

    Features are those of Redis, else the newest of the lake. ``success_forecast`` is that of the last batch: none is
    made here.

    Raises:
        NotFoundError: no model yet.
    """
    champion = graph.champions.get("trust")
    asked = [kol_id for kol_id in dict.fromkeys(kol_ids) if not graph.erased(kol_id)]
    expected, answers = _expected(graph, asked), dict[str, ScoreAnswer]()
    for model, theirs in graph.canary.split(asked):
        answers |= _scored(graph, model, theirs, expected)
    return BatchAnswer(model=champion.label, scored=len(answers), results=list(_items(kol_ids, answers)))


def _scored(
    graph: ScoringGraph, model: LoadedModel, kol_ids: list[str], expected: Mapping[str, float]
) -> dict[str, ScoreAnswer]:
    features, now = _features(graph, kol_ids, model.model.feature_names), graph.clock.now()
    if not features.height:
        return {}
    trust, scored = graph.canary.answer_by(model, features)
    answers = {}
    for row, (as_of, source) in zip(
        scored.iter_rows(named=True), features.select("as_of", "source").iter_rows(), strict=True
    ):
        place = Features(row, as_of, source, stale=now - as_of > graph.lookup.feature_ttl)
        graph.count(expected.get(row["kol_id"]))
        answers[row["kol_id"]] = score_answer(row, place, trust.label, expected.get(row["kol_id"]), now)
    return answers


def _features(graph: ScoringGraph, kol_ids: list[str], names: Sequence[str]) -> pl.DataFrame:
    """``kol_id, as_of, source`` and the model's features, of the KOLs that have any."""
    held = pl.DataFrame(schema={"kol_id": pl.String, "as_of": TIME})
    with suppress(ServiceUnavailableError):  # the lake has them all, only slower
        held = graph.lookup.get_feature_rows(kol_ids, names)
    held = held.with_columns(source=pl.lit("redis"))
    missing = set(kol_ids) - set(held["kol_id"])
    if not missing:
        return held
    rows = graph.lake.scan("gold.features").filter(pl.col("kol_id").is_in(missing)).sort("as_of")
    newest = (
        rows.unique("kol_id", keep="last").collect().with_columns(pl.col("as_of").cast(TIME), source=pl.lit("lake"))
    )
    known = newest.select("kol_id", "as_of", "source", *(name for name in names if name in newest.columns))
    return pl.concat([held, known], how="diagonal_relaxed")


def _expected(graph: ScoringGraph, kol_ids: list[str]) -> Mapping[str, float]:
    with suppress(ServiceUnavailableError):
        held = graph.lookup.get_forecasts(kol_ids, RANKED)
        return {kol_id: sum(forecast.value) for kol_id, forecast in held.items()}
    return {}


def _items(kol_ids: Sequence[str], answers: Mapping[str, ScoreAnswer]) -> Iterator[BatchItem]:
    for kol_id in kol_ids:
        score = answers.get(kol_id)
        unknown = BatchError(status=404, title="Not found", detail=f"nothing is known about the KOL {kol_id!r}")
        yield BatchItem(kol_id=kol_id, score=score, error=None if score else unknown)

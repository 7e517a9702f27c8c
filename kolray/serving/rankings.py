"""``GET /rankings``: a page from Redis, on the event loop; from the lake's tables while Redis is away."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Response
from starlette.concurrency import run_in_threadpool

from kolray.errors import ServiceUnavailableError
from kolray.serving.access import needs
from kolray.serving.answers import as_json, json_response
from kolray.serving.contracts import Ranked, RankingAnswer
from kolray.serving.lake_rankings import LakeRankings
from kolray.serving.problems import ERRORS
from kolray.serving.scoring import ScoringGraph
from kolray.stores.ranking_reads import ranking_page
from kolray.stores.rankings import Asked, RankBy, RankingPage


def add_rankings(app: FastAPI) -> None:
    """The endpoint, for tokens that read."""

    @app.get(
        "/rankings", response_model=RankingAnswer, dependencies=[needs("read")], responses=ERRORS, tags=["metrics"]
    )
    async def rankings(
        by: RankBy = "trust",
        platform: Annotated[str | None, Query(max_length=64, examples=["tiktok"])] = None,
        category: Annotated[str | None, Query(max_length=64, examples=["beauty"])] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 20,
        offset: Annotated[int, Query(ge=0, le=10_000_000, description="places to leave out")] = 0,
    ) -> Response:
        """The best KOLs; trust is ranked by the lower bound of its interval. Pages of a live ranking may shift."""
        services, asked = app.state.services, Asked(by, platform or None, category or None, limit, offset)
        try:
            page = await ranking_page(services.redis, asked)
        except ServiceUnavailableError as away:
            return json_response(
                await run_in_threadpool(_of_the_lake, services.graph, services.lake_rankings, asked, away)
            )
        make = partial(_answer, services.graph, asked, page)
        # where the deny-list is due it is read anew, which takes a while
        return json_response(await run_in_threadpool(make) if services.graph.erasures_due() else make())


def _of_the_lake(graph: ScoringGraph, lake: LakeRankings, asked: Asked, away: ServiceUnavailableError) -> bytes:
    page, age_s = lake.page(asked, away)
    return _answer(graph, asked, page, age_s)


def _answer(graph: ScoringGraph, asked: Asked, page: RankingPage, age_s: float | None = None) -> bytes:
    """As JSON, without who is on the deny-list; ``age_s``: of the lake's tables."""
    places = enumerate(page.rows, start=asked.offset + 1)
    following = asked.offset + asked.limit
    answer = RankingAnswer(
        by=asked.by,
        platform=asked.platform,
        category=asked.category,
        total=page.total,
        ranking=[Ranked(rank=rank, **row._asdict()) for rank, row in places if not graph.erased(row.kol_id)],
        next=following if following < page.total else None,
        source="redis" if age_s is None else "lake",
        age_s=age_s,
    )
    return as_json(answer)

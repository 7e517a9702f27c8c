"""[ray] A transformer behind Ray Serve, a deployment of its own: ``POST {"texts": [...]}`` → ``sentiment, model``.

It is slow beside the scoring replica, and scales apart from it; requests that wait together share a batch.
"""

from typing import Any

import polars as pl
from fastapi import FastAPI
from pydantic import BaseModel, Field
from ray import serve

from kolray.models.sentiment.phobert import TransformerClassifier

MAX_TEXTS = 256
http = FastAPI(title="kolray sentiment")


class Texts(BaseModel):
    """At most ``MAX_TEXTS`` comments."""

    texts: list[str | None] = Field(max_length=MAX_TEXTS)


class Sentiments(BaseModel):
    """-1 negative, 0 neutral, 1 positive for each text, by ``model``."""

    sentiment: list[int]
    model: str


@serve.deployment(max_ongoing_requests=64)
@serve.ingress(http)
class SentimentDeployment:
    """One replica holds one model, from a folder or a hub's name."""

    def __init__(self, source: str) -> None:
        self._classifier = TransformerClassifier.load(source)
        self._version = self._classifier.version

    @http.post("/")
    async def judge(self, asked: Texts) -> Sentiments:
        return Sentiments(sentiment=await self.classify(asked.texts), model=self._version)

    async def classify(self, texts: list[str | None]) -> list[int]:
        """The same for callers within Ray, through a handle."""
        return await self._together(texts)

    @serve.batch(max_batch_size=16, batch_wait_timeout_s=0.005)
    async def _together(self, requests: list[list[str | None]]) -> list[list[int]]:
        every = pl.Series([text for texts in requests for text in texts], dtype=pl.String)
        judged = self._classifier.classify(every).to_list()
        found = []
        for texts in requests:
            found.append(judged[: len(texts)])
            judged = judged[len(texts) :]
        return found


def app(args: dict[str, Any]) -> serve.Application:
    """What a Serve configuration imports: ``kolray.serving.sentiment:app`` with ``args: {source: FOLDER_OR_NAME}``."""
    return SentimentDeployment.bind(args["source"])  # type: ignore[attr-defined]

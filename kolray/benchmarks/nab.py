"""The stream's own-history pattern on the ten Twitter series of the Numenta Anomaly Benchmark.

Each series is a KOL, each of its five minutes a closed window whose likes are the tweets counted. What alerts is scored
by NAB's rules, beside NAB's windowed Gaussian over the same rows. Nothing is fitted to the labels but the threshold,
which NAB chooses so for every detector.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from kolray.benchmarks.nab_scoring import Corpus, Floats, Labelled, Scored
from kolray.errors import InvalidInputError
from kolray.events import TIME
from kolray.features.window_metrics import METRICS, SUMS
from kolray.stores.metrics import WINDOW_SCHEMA
from kolray.stream.patterns import Patterns, Rule, Step

FOLDER, LABELS = "nab_twitter_volume", "combined_windows.json"

SPIKE = Rule("volume_spike", (Step(value="ln(likes + 1)", sigmas=4.0, min_sd=0.1),), window="5m")
"""As the shipped spikes: 4 sigmas after 12 windows. Of the logarithm, because bursts of counts multiply: their own
deviation is that of rare giants and says nothing of a common day. A deviation below 10 % is taken as 10 %."""

GAUSSIAN_ROWS, GAUSSIAN_STEP = 6400, 100


@dataclass(frozen=True)
class Series:
    """One file: its name, times (naive, as written), counts, and labels."""

    name: str
    rows: pl.DataFrame
    labels: Labelled


@dataclass(frozen=True)
class NabReport:
    """Scores between 0 (no detection) and 100 (the earliest detection of every window, and no other)."""

    series: int
    rows: int
    seconds: float
    own_history_swept: Scored
    own_history_at_4_sigmas: Scored
    windowed_gaussian_swept: Scored
    windowed_gaussian_at_1: Scored

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def load(data: Path) -> list[Series]:
    """The series of the folder ``nab_twitter_volume`` in ``data``, or of ``data`` itself.

    Raises:
        InvalidInputError: the series or the labels are not there.
    """
    folder = data / FOLDER if (data / FOLDER).is_dir() else data
    files = sorted(folder.glob("Twitter_volume_*.csv"))
    if not files or not (folder / LABELS).is_file():
        raise InvalidInputError(
            f"{folder} has no Twitter_volume_*.csv with {LABELS}: give --data the folder that holds NAB's realTweets "
            "and labels"
        )
    labels = json.loads((folder / LABELS).read_text())
    return [_series(file, labels.get(f"realTweets/{file.name}")) for file in files]


def _series(file: Path, windows: list[list[str]] | None) -> Series:
    rows = pl.read_csv(file, schema={"timestamp": pl.Datetime("us"), "value": pl.Int64})
    if windows is None:
        raise InvalidInputError(f"{LABELS} does not label realTweets/{file.name}; use the labels of the same version")
    place = {at: row for row, at in enumerate(rows["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S.%6f"))}
    spans = sorted((place[first], place[last]) for first, last in windows)
    return Series(file.stem.removeprefix("Twitter_volume_"), rows, Labelled(rows.height, tuple(spans)))


def run(data: Path) -> NabReport:
    """Both detectors on all series. Raises as ``load``."""
    series = load(data)
    corpus = Corpus([one.labels for one in series])
    started = time.monotonic()
    ours = own_history(series)
    seconds = time.monotonic() - started
    gaussian = [windowed_gaussian(one.rows["value"].to_numpy().astype(float)) for one in series]
    return NabReport(
        series=len(series),
        rows=sum(one.labels.rows for one in series),
        seconds=round(seconds, 2),
        own_history_swept=corpus.best(ours),
        own_history_at_4_sigmas=corpus.score(ours, SPIKE.steps[0].sigmas or 0.0),
        windowed_gaussian_swept=corpus.best(gaussian),
        windowed_gaussian_at_1=corpus.score(gaussian, 1.0),
    )


def own_history(series: list[Series]) -> list[Floats]:
    """Each row's anomaly score: the sigmas in the evidence of its alert, 0 where there is none."""
    alerts = Patterns([SPIKE]).on_closed(pl.concat(closed_windows(one) for one in series))
    sigmas = alerts.select(
        "kol_id", "window_start", score=pl.col("evidence").str.json_path_match("$.sigmas").cast(pl.Float64)
    )
    found = []
    for one in series:
        windows = closed_windows(one).select("kol_id", "window_start")
        scored = windows.join(sigmas, on=["kol_id", "window_start"], how="left", maintain_order="left")
        found.append(scored["score"].fill_null(0.0).to_numpy())
    return found


def closed_windows(series: Series) -> pl.DataFrame:
    """A series as final windows of five minutes (``WINDOW_SCHEMA``); a count's time lies inside its window."""
    absent = [pl.lit(0 if name in SUMS else None, pl.Int64).alias(name) for name in METRICS if name != "likes"]
    start = pl.col("timestamp").dt.truncate("5m").dt.replace_time_zone("UTC").cast(TIME)
    return series.rows.select(
        pl.lit(series.name).alias("kol_id"),
        pl.lit("5m").alias("window"),
        start.alias("window_start"),
        pl.lit(True).alias("final"),
        pl.col("value").alias("likes"),
        *absent,
    ).select(*WINDOW_SCHEMA)


def windowed_gaussian(values: Floats) -> Floats:
    """NAB's baseline: 1 - Q of a value's distance from the mean of 6400 values before it, renewed every 100 rows."""
    rows = np.arange(len(values))
    end = np.where(rows < GAUSSIAN_ROWS, rows, GAUSSIAN_ROWS + (rows - GAUSSIAN_ROWS) // GAUSSIAN_STEP * GAUSSIAN_STEP)
    start = np.maximum(end - GAUSSIAN_ROWS, 0)
    n = np.maximum(end - start, 1)
    sums, squares = (np.concatenate([[0.0], np.cumsum(values**power)]) for power in (1, 2))
    mean = (sums[end] - sums[start]) / n
    sd = np.sqrt(np.maximum((squares[end] - squares[start]) / n - mean**2, 0))
    distance = np.abs(values - mean) / np.where(sd > 0, sd, 1e-6)
    scores = np.array([1 - 0.5 * math.erfc(z / math.sqrt(2)) for z in distance])
    return np.where(rows == 0, 0.0, scores)

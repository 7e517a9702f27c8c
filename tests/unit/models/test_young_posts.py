"""Young posts: read from wide and long tables and the lake, forecast from their first hour, judged beside baselines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from kolray.cli.main import app
from kolray.errors import InvalidInputError
from kolray.events import SOCIAL_SCHEMA
from kolray.models.success.posts import Posts, lake_posts, read_posts
from kolray.models.success.young_posts import carried, fit_young_posts
from kolray.models.success.young_posts_report import judge_young_posts

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def posts() -> Posts:
    """2,000 posts over 24 hours by 20 minutes: size and speed differ, a fifth is not seen in its first hour."""
    rng = np.random.default_rng(1)
    size, speed = rng.lognormal(4, 1.2, 2000), rng.uniform(0.05, 1.5, 2000)
    rate = size[:, None] * -np.diff(np.exp(-speed[:, None] * np.arange(73) / 3))
    counts = np.cumsum(rng.poisson(rate), axis=1).astype(float)
    counts[rng.random(2000) < 0.2, :3] = np.nan
    return Posts(counts, 1 / 3)


def test_the_first_hour_tells_more_than_the_baselines(posts: Posts) -> None:
    report = judge_young_posts(posts, 1, 24, seed=7)
    assert report.posts == 600
    assert report.trained_on == 1400
    assert report.rmsle < 0.9 * report.constant_growth_rmsle < report.last_value_rmsle
    assert report.seen["rmsle"] < 0.7 * report.seen["constant_growth_rmsle"]
    assert report.increment_rmsle < report.constant_growth_increment_rmsle
    assert 0.86 <= report.coverage_90 <= 0.98
    assert [row["horizon_h"] for row in report.by_horizon] == [2, 3, 6, 12, 24]


def test_what_comes_after_the_first_hour_changes_no_forecast(posts: Posts) -> None:
    model = fit_young_posts(posts, 3, 72, seed=7)
    changed = posts.counts.copy()
    changed[:, 3:] = np.random.default_rng(0).permutation(changed[:, 3:])
    for own, other in zip(model.forecast(posts.counts), model.forecast(changed), strict=True):
        assert np.array_equal(own, other)
    made = model.forecast(posts.counts)
    assert (made.lower <= made.value).all()
    assert (made.value <= made.upper).all()
    assert (made.value >= carried(posts.counts[:, :3])[:, -1]).all()


def test_equal_seeds_give_equal_models(posts: Posts) -> None:
    once, again = (fit_young_posts(posts, 3, 72, seed=7).forecast(posts.counts).value for _ in range(2))
    assert np.array_equal(once, again)


def test_wide_tables_hold_counts_by_age(tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    file.write_text("id1,TS2,TS10,TS1\n7,3,9,-1\n8,,4,1\n")
    counts = read_posts(file, 20).counts
    assert counts[0, 1:].tolist() == [3, 9]
    assert np.isnan(counts[0, 0])
    assert counts[1, [0, 2]].tolist() == [1, 4]


def test_long_tables_count_age_from_a_posts_first_row(tmp_path: Path) -> None:
    rows = [("b", START + timedelta(minutes=m), v) for m, v in ((0, 1), (20, 2), (60, 5))]
    rows += [("a", START + timedelta(hours=1), 3), ("a", START + timedelta(hours=2), 8)]
    file = tmp_path / "long.parquet"
    pl.DataFrame(rows, schema=["post", "at", "value"], orient="row").write_parquet(file)
    counts = read_posts(file, 20, {"series_id": "post"}).counts
    assert np.nan_to_num(counts, nan=-1).tolist() == [[1, 2, -1, 5], [3, -1, -1, 8]]


@pytest.mark.parametrize(
    ("text", "said"),
    [("a,b\n1,2\n", "numbered columns"), ("TS1,TS2\n1,many\n", "'many'"), ("series_id,at,value\na,,1\n", "missing")],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "odd.csv"
    file.write_text(text)
    with pytest.raises(InvalidInputError, match=said):
        read_posts(file, 20)


def test_lake_posts_gather_by_hour_since_they_were_posted() -> None:
    at = [START, START + timedelta(minutes=30), START + timedelta(hours=2), START + timedelta(hours=3, minutes=5)]
    events = pl.DataFrame(
        {
            "kol_id": ["k1", "k1", "k1", "k2"],
            "post_id": ["p1", "p1", "p1", "p9"],
            "event_type": ["post", "engagement", "correction", "engagement"],
            "event_time": at,
            "likes": [None, 5, -2, 9],
            "shares": [None, 1, 0, 0],
        },
        schema_overrides=SOCIAL_SCHEMA,
    )
    empty = {name: pl.lit(None, kind).alias(name) for name, kind in SOCIAL_SCHEMA.items() if name not in events.columns}
    posts = lake_posts(events.with_columns(**empty).lazy())
    assert posts.counts.shape[0] == 1, "p9 was never seen to be posted"
    assert posts.counts[0, :3].tolist() == [6, 6, 4]
    assert np.isnan(posts.counts[0, 3:]).all(), "the hour that is not over is not observed"


def test_hours_that_make_no_sense_are_refused(posts: Posts) -> None:
    for known, ahead, said in ((1, 1, "not after"), (1, 99, "for 24 hours"), (0.5, 24, "multiple")):
        with pytest.raises(InvalidInputError, match=said):
            judge_young_posts(posts, known, ahead, seed=7)
    few = Posts(posts.counts[:90], posts.step_h)
    with pytest.raises(InvalidInputError, match="100 are needed"):
        judge_young_posts(few, 1, 24, seed=7)


def test_the_command_prints_json(posts: Posts, tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    table = pl.DataFrame(posts.counts, schema=[f"TS{i + 1}" for i in range(72)])
    table.fill_nan(-1).write_csv(file)
    asked = ["models", "backtest", "success", "--task", "young-posts", "--series", str(file)]
    told = CliRunner().invoke(app, [*asked, "--json"])
    assert json.loads(told.stdout)["rmsle"] == pytest.approx(judge_young_posts(posts, 1, 24, seed=7).rmsle)
    shown = CliRunner().invoke(app, asked)
    assert "constant growth" in shown.stdout
    assert "first 1 h, at 24 h" in shown.stdout

"""Every kind of corruption is found under its rule, and no clean row is lost to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from kolray.cli.lake import app
from kolray.connectors.generator import WorldConfig, batches, build_world
from kolray.events import MAX_COUNT, RAW_TOPICS, SCHEMAS, Kind, invalid_reason
from kolray.features.spam import SIGNS
from kolray.lake.quality import COUNTED, count_failures, newest_runs, quality_rows, summary, with_reason, with_rules
from kolray.lake.rules import RULES, WARNINGS, rules_of
from kolray.lake.silver_plan import plan_silver
from kolray.lake.tables import TABLES, LakeTables
from tests.unit.lake.rows import START, add, bronze, refine_all

KINDS: tuple[Kind, ...] = ("social", "web")
AT = datetime(2026, 1, 9, tzinfo=UTC)
LONG_AGO = datetime(1970, 1, 21, tzinfo=UTC)
"""What a time in seconds says where milliseconds are read."""

Corruption = tuple[str, str, dict[str, Any]]
"""Rule, event type it strikes (empty: any), what it changes."""
SOCIAL: list[Corruption] = [
    ("missing.kol_id", "", {"kol_id": None}),
    ("missing.event_id", "", {"event_id": ""}),
    ("missing.platform", "", {"platform": ""}),
    ("too_long.event_id", "", {"event_id": "x" * 129}),
    ("unknown.event_type", "", {"event_type": "shout"}),
    ("out_of_range.event_time", "", {"event_time": LONG_AGO}),
    ("out_of_range.event_time", "", {"event_time": None}),
    ("negative.likes", "engagement", {"likes": -3}),
    ("out_of_range.views", "engagement", {"views": MAX_COUNT + 1}),
    ("negative.followers", "profile", {"followers": -1}),
    ("ahead.event_time", "engagement", {"kafka_time": datetime(2026, 1, 6, tzinfo=UTC)}),
    ("spelling.platform", "post", {"platform": "TikTok"}),
    ("padded.kol_id", "post", {"kol_id": " kol_1"}),
    ("excess.likes", "engagement", {"likes": 900, "impressions": 5, "views": 4, "clicks": 0, "comments": 0,
                                    "shares": 0}),
    ("encoding.text", "comment", {"text": "hay quÃ¡ báº¡n Æ¡i"}),
    ("control.text", "comment", {"text": "hay\x07"}),
    ("personal.author_id", "comment", {"author_id": "an.nguyen@mail.vn"}),
    ("before.account_created_at", "profile", {"account_created_at": datetime(2027, 1, 1, tzinfo=UTC)}),
    ("unknown.lang", "comment", {"lang": "Vietnamese"}),
]  # fmt: skip
WEB: list[Corruption] = [
    ("missing.campaign_id", "", {"campaign_id": None}),
    ("out_of_range.value", "conversion", {"value": float("nan")}),
    ("unknown.event_type", "", {"event_type": "hover"}),
    ("missing.currency", "conversion", {"value": 12.0, "currency": None}),
    ("unknown.currency", "conversion", {"currency": "đ"}),
    ("misplaced.value", "click", {"value": 3.0, "currency": "VND"}),
    ("personal.visitor", "impression", {"visitor": "10.1.2.3"}),
    ("personal.url", "impression", {"url": "https://shop.example/?email=a@b.c"}),
    ("form.url", "click", {"url": "javascript:alert(1)"}),
]
CORRUPTIONS: dict[Kind, list[Corruption]] = {"social": SOCIAL, "web": WEB}


@cache
def clean(kind: Kind) -> pl.DataFrame:
    """A world's valid events as bronze holds them, each once."""
    world = build_world(WorldConfig(n_kols=120, hours=24, seed=5, end=AT))
    frame = pl.concat([getattr(batch, kind) for batch in batches(world)]).unique("event_id", maintain_order=True)
    frame = frame.filter(invalid_reason(kind).is_null() & (pl.col("event_time") < AT)).with_row_index("offset")
    placed = frame.with_columns(
        kafka_time="event_time", topic=pl.lit(RAW_TOPICS[kind]), partition=0, schema_id=1, ingest_time=AT, dt=AT.date()
    )
    return placed.select(pl.col(name).cast(dtype) for name, dtype in TABLES[f"bronze.{kind}"].items())


def corrupt(kind: Kind, seed: int) -> tuple[pl.DataFrame, dict[int, str]]:
    """The clean rows, some of them struck by each corruption, and the rule each struck offset breaks."""
    rows, rng, struck = clean(kind).to_dicts(), np.random.default_rng(seed), {}
    for rule, event_type, change in CORRUPTIONS[kind]:
        free = [r for r in rows if r["offset"] not in struck and (not event_type or r["event_type"] == event_type)]
        for at in rng.choice(len(free), size=3, replace=False):
            free[at].update(change)
            struck[free[at]["offset"]] = rule
    return pl.DataFrame(rows, schema=TABLES[f"bronze.{kind}"]), struck


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_all_corruption_is_found_under_its_rule_and_no_clean_row_is_rejected(
    tmp_path: Path, kind: Kind, seed: int
) -> None:
    tables = LakeTables(str(tmp_path / "lake"))
    rows, struck = corrupt(kind, seed)
    copies = rows.filter(~pl.col("offset").is_in(list(struck))).sample(20, seed=seed)
    again = copies.with_columns(pl.col("offset") + rows.height, pl.col("kafka_time") + timedelta(seconds=9))
    add(tables, f"bronze.{kind}", pl.concat([rows, again]).sample(fraction=1.0, shuffle=True, seed=seed))
    task = plan_silver(tables, kind)
    assert task is not None
    refined = refine_all(task, tables)

    errors = {rule.id for rule in rules_of(kind, "error")}
    wrong = {offset: rule for offset, rule in struck.items() if rule in errors}
    assert dict(refined.broken.select("offset", "rules").iter_rows()) == wrong
    assert refined.broken.select("bronze_version", "kind").unique().row(0) == (0, kind)
    assert refined.broken["reason"].str.replace_all(" ", "_").str.replace(":_", ".").to_list() == list(
        refined.broken["rules"]
    )
    assert set(refined.valid["offset"]) == set(rows["offset"]) - set(wrong)

    failed = {rule: n for rule, n in refined.counted.select("rule", "failed").iter_rows() if n}
    assert failed == Counter(struck.values()) | {"duplicate.event_id": 20}
    checked = refined.counted.group_by("severity").agg(pl.col("checked").unique())
    sizes = {"error": rows.height, "warning": rows.height - len(wrong), "duplicate": rows.height - len(wrong) + 20}
    assert dict(checked.explode("checked").iter_rows()) == sizes


def test_there_are_enough_kinds_of_corruption_and_every_rule_has_its_own_name() -> None:
    assert len({rule for rule, *_ in SOCIAL + WEB}) >= 12
    assert len(RULES) >= 30
    for kind in KINDS:
        names = [rule.id for severity in ("error", "duplicate", "warning") for rule in rules_of(kind, severity)]
        assert len(names) == len(set(names))
    assert all(rule.means for rule in RULES)


def test_rules_and_signs_are_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "lake.md").read_text()
    assert [name for name in (*(rule.id for rule in WARNINGS), *SIGNS) if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_clean_world_breaks_no_rule(kind: Kind) -> None:
    rows = with_reason(kind, clean(kind))
    assert rows["reason"].null_count() == rows.height > 100
    assert count_failures(kind, rows, rows.clear(), 0)["failed"].sum() == 0


VALUES: dict[object, st.SearchStrategy[Any]] = {
    pl.String: st.none() | st.sampled_from(["", "x", "post", "click", "y" * 129]),
    pl.Int64: st.none() | st.sampled_from([-1, 0, 7, MAX_COUNT + 1]),
    pl.Float64: st.none() | st.sampled_from([-1.0, 1.0, float("inf"), float("nan")]),
    pl.Boolean: st.none() | st.booleans(),
}
TIMES = st.none() | st.sampled_from([LONG_AGO, AT])


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_errors_of_silver_are_those_of_the_stream(kind: Kind, data: st.DataObject) -> None:
    columns = {name: VALUES.get(dtype, TIMES) for name, dtype in SCHEMAS[kind].items()}
    rows = data.draw(st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=5))
    judged = with_rules(kind, with_reason(kind, pl.DataFrame(rows, schema=SCHEMAS[kind])))
    first = judged["rules"].str.split(", ").list.first().replace("", None)
    assert first.is_null().to_list() == judged["reason"].is_null().to_list()
    reasons = {rule.id: rule.reason for rule in rules_of(kind, "error")}
    assert first.replace_strict(reasons, default=None, return_dtype=pl.String).to_list() == judged["reason"].to_list()


def test_a_row_that_breaks_several_rules_names_all() -> None:
    rows = with_reason("social", bronze("social", {"platform": "", "likes": -1}))
    assert with_rules("social", rows).select("reason", "rules").row(0) == (
        "missing: platform",
        "missing.platform, negative.likes",
    )


def counted(failed: int, kind: Kind = "social") -> pl.DataFrame:
    """One rule's count of a task that checked ten rows."""
    return pl.DataFrame([(kind, "missing.text", "warning", 10, failed)], COUNTED, orient="row")


def test_counts_of_tasks_and_runs_add_up(tmp_path: Path) -> None:
    first = quality_rows([counted(3), counted(1)], START, 4)
    second = quality_rows([counted(0)], START + timedelta(hours=1), 9)
    assert first.select("checked", "failed", "bronze_version").row(0) == (20, 4, 4)
    runs = pl.concat([first, second]).lazy()
    [row] = summary(runs).to_dicts()
    assert (row["checked"], row["failed"], row["newest"]) == (30, 4, START)
    assert row["share"] == pytest.approx(4 / 30)
    assert summary(newest_runs(runs))["failed"].to_list() == [0]


def test_the_command_shows_what_was_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOLRAY_HOME", str(tmp_path))
    show: Callable[..., str] = lambda *args: CliRunner().invoke(app, ["quality", *args], catch_exceptions=False).stdout  # noqa: E731
    assert "run `kolray lake silver`" in show()
    tables = LakeTables(str(tmp_path / "lake"))
    add(tables, "silver.quality", quality_rows([counted(3), counted(0, "web")], START, 4))
    assert "1 of 2 rules broken" in show()
    assert "missing.text" in show()
    assert [row["failed"] for row in json.loads(show("--json", "--all"))] == [3, 0]

"""What the machine remembers: through snapshots, new rules, and for how long."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from kolray.stream.patterns import RULES, Patterns, Rule, Step
from kolray.stream.patterns.check import check_pattern
from tests.unit.stream.closed import hours, likes, pattern, row, rows

DAY = 24
SPIKE = pattern('value = "likes"\nsigmas = 3\nmin_history = 3\nmin_sd = 1', "spike")
PAIR = pattern('when = "likes = 1"|when = "likes = 2"', "pair")


def conditions(index: int) -> st.SearchStrategy[Step]:
    """Steps that match often enough on likes of 0 to 3."""
    when = st.sampled_from(["likes = 1", "likes = 2", "likes >= 2", "likes <> 0", "likes < 3"])
    within = st.none() | st.integers(1, 4)
    return st.builds(Step, when=when, times=st.integers(1, 3), within=within if index else st.none())


@st.composite
def sequences(draw: st.DrawFn) -> Rule:
    """Up to three steps that must match, with absences before, between or after."""
    steps: list[Step] = []
    present = draw(st.integers(1, 3))
    for index in range(present):
        if draw(st.integers(0, 3)) == 0:
            within = draw(st.integers(1, 4)) if index == 0 else None
            steps.append(replace(draw(conditions(0)), absent=True, within=within))
        steps.append(draw(conditions(index)))
    if draw(st.integers(0, 3)) == 0:
        steps.append(replace(draw(conditions(0)), absent=True, within=draw(st.integers(1, 4))))
    rule = Rule("drawn", tuple(steps))
    check_pattern(rule, "drawn")
    return rule


TEXTS = st.text("2130.", min_size=8, max_size=24)


def expected(rule: Rule, text: str) -> list[int]:
    """The same, thought of one KOL at a time: every way through the steps is tried."""
    likes_at = {hour: int(c) for hour, c in enumerate(text) if c != "."}
    matches, begins = _matches(rule, likes_at)
    fired: list[int] = []
    free_after, waiting = -1, None
    last = rule.steps[-1]
    for now in range(len(text) + 6):
        if waiting is not None and now > waiting + int(last.within or 0):
            fired, waiting = [*fired, waiting + int(last.within or 0)], None
        if now not in likes_at:
            continue
        if last.absent and waiting is not None and now in matches[len(rule.steps) - 1]:
            waiting = None
            busy = False
        else:
            busy = waiting is not None
        if _ends(rule, rule.present, now, free_after, matches, begins):
            free_after = now
            if not last.absent:
                fired.append(now)
            elif not busy:
                waiting = now
    seen = max(likes_at, default=-1)
    return [hour for hour in fired if not last.absent or hour < seen]


def _matches(rule: Rule, likes_at: dict[int, int]) -> tuple[list[set[int]], list[dict[int, int]]]:
    """Hours at which each step matches, and when the run of that match began."""
    found: list[set[int]] = []
    begins: list[dict[int, int]] = []
    for step in rule.steps:
        run, begin, at, began = 0, 0, set(), {}
        for hour, count in likes_at.items():
            holds = pl.select(likes=count).select(pl.sql_expr(step.when or "")).item()
            begin = hour if holds and run == 0 else begin
            run = run + 1 if holds else 0
            if holds and (run >= step.times if step.absent or step.times == 1 else run == step.times):
                at.add(hour)
                began[hour] = begin if step.times > 1 else hour
        found.append(at)
        begins.append(began)
    return found, begins


def _ends(
    rule: Rule,
    present: tuple[int, ...],
    now: int,
    free_after: int,
    matches: list[set[int]],
    begins: list[dict[int, int]],
) -> bool:
    """Whether the steps so far can have matched one after another, the last of them now."""
    place = present[-1]
    if now not in matches[place] or now <= free_after:
        return False
    if len(present) == 1:
        return all(not any(now - int(rule.steps[p].within or 0) <= h < now for h in matches[p]) for p in range(place))
    within = rule.steps[place].within
    for before in range(free_after + 1, begins[place][now]):
        in_time = within is None or now - before <= int(within)
        clean = not any(before < h < now for p in range(present[-2] + 1, place) for h in matches[p])
        if in_time and clean and _ends(rule, present[:-1], before, free_after, matches, begins):
            return True
    return False


@given(sequences(), TEXTS)
def test_patterns_fire_where_trying_every_way_says(rule: Rule, text: str) -> None:
    assert hours(Patterns([rule]).on_closed(likes(text))) == expected(rule, text)


def stored(patterns: Patterns) -> dict[str, pl.DataFrame]:
    """A snapshot that went through Arrow."""
    out = {}
    for name, frame in patterns.snapshot().items():
        buffer = BytesIO()
        frame.write_ipc(buffer)
        out[name] = pl.read_ipc(buffer.getvalue())
    return out


@settings(max_examples=15)
@given(st.lists(sequences(), min_size=1, max_size=2), TEXTS, TEXTS)
def test_a_restore_at_every_window_changes_nothing(drawn: list[Rule], one: str, two: str) -> None:
    rules = (SPIKE, *RULES, *(replace(rule, name=f"drawn_{i}") for i, rule in enumerate(drawn)))
    items = pl.concat([likes(one, "a"), likes(two, "b")]).sort("window_start", "kol_id")
    whole, parts = Patterns(rules).on_closed(items), []
    state = Patterns(rules)
    for item in items.iter_slices(1):
        fresh = Patterns(rules)
        fresh.restore(stored(state))
        parts.append(fresh.on_closed(item))
        state = fresh
    key = ["rule", "kol_id", "window_start"]
    assert_frame_equal(pl.concat([whole.clear(), *parts]).sort(key), whole.sort(key))


def test_new_rules_keep_the_state_of_those_that_stayed() -> None:
    patterns = Patterns([SPIKE, PAIR])
    assert patterns.on_closed(likes("333331")).is_empty()
    other = pattern('when = "likes = 9"|when = "likes = 2"', "other")
    patterns.replace((other, replace(PAIR, severity="high"), SPIKE))
    alerts = patterns.on_closed(rows([row(6, likes=2), row(7, likes=50)]))
    assert alerts.select("rule", "severity").rows() == [("pair", "high"), ("spike", "warning")]


@pytest.mark.parametrize("changed", [replace(SPIKE.steps[0], sigmas=2.0), replace(SPIKE.steps[0], value="likes + 0")])
def test_a_changed_definition_starts_empty(changed: Step) -> None:
    patterns = Patterns([SPIKE])
    patterns.on_closed(likes("33333"))
    patterns.replace((replace(SPIKE, steps=(changed,)),))
    assert patterns.on_closed(rows([row(5, likes=50)])).is_empty()


def test_rules_that_were_gone_come_back_empty() -> None:
    patterns = Patterns([PAIR])
    patterns.on_closed(likes("1"))
    patterns.replace(())
    patterns.replace((PAIR,))
    assert patterns.on_closed(likes("2", start=1)).is_empty()


def test_a_snapshot_of_other_rules_restores_what_is_still_defined() -> None:
    before, after = Patterns([PAIR, SPIKE]), Patterns([SPIKE, replace(PAIR, window="5m"), *RULES])
    before.on_closed(likes("33331"))
    after.restore(stored(before))
    assert after.on_closed(rows([row(5, likes=40)]))["rule"].to_list() == ["spike"]


def test_a_kol_without_a_window_for_two_weeks_is_forgotten() -> None:
    for pause, found in ((14 * DAY, [14 * DAY]), (14 * DAY + 1, [])):
        patterns = Patterns([PAIR])
        patterns.on_closed(likes("1"))
        assert hours(patterns.on_closed(likes("2", start=pause))) == found


def test_the_state_is_one_row_a_kol_that_was_seen_lately() -> None:
    patterns = Patterns([SPIKE, PAIR, *RULES])
    for day in range(40):
        patterns.on_closed(likes("1213", f"kol_{day}", start=DAY * day))
    assert [table.height for table in patterns.snapshot().values()] == [15]

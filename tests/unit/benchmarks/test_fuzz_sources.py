"""A small share of the fuzz of sources, which ``kolray bench fuzz-sources`` does with a million payloads."""

from __future__ import annotations

from kolray.benchmarks.fuzz_sources.run import run


def test_hostile_payloads_are_accepted_dead_lettered_or_refused() -> None:
    report = run(2_000, seed=11)
    assert report.wrong == []
    assert report.payloads >= 2_000
    assert min(report.page_refused, report.page_events, report.row_events, report.row_dead_letters) > 100
    assert min(report.answer_events, report.answer_dead_letters) > 10

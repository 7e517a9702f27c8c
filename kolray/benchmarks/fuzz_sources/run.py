"""``kolray bench fuzz-sources``: hostile payloads by seed; accepted + dead-lettered + refused is what was sent."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kolray.benchmarks.fuzz_sources.answers import fuzz_answers
from kolray.benchmarks.fuzz_sources.pages import PageFuzz
from kolray.benchmarks.fuzz_sources.rows import fuzz_rows

Say = Callable[[str], None]


@dataclass(frozen=True)
class SourcesReport:
    """Half of the payloads were hits (``page_…``), three tenths rows of files, two tenths items of platforms' answers.

    ``page_dead_letters``: accepted hits that the stream would refuse. ``wrong``: the first ten things that crashed or
    were lost.
    """

    payloads: int
    page_taken: int
    page_refused: int
    page_events: int
    page_dead_letters: int
    row_events: int
    row_dead_letters: int
    answer_items: int
    answer_events: int
    answer_dead_letters: int
    answers_refused: int
    seconds: float
    findings: int
    wrong: list[str]


def run(payloads: int, seed: int = 1, say: Say = lambda _: None) -> SourcesReport:
    """In this process, without servers: what is accepted goes the whole way to events as the stream reads them."""
    n_pages, n_rows = payloads // 2, payloads * 3 // 10
    started = time.monotonic()
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory(prefix="kolray-fuzz-") as name:
            folder = Path(name)
            say(f"{n_pages:,} hits")
            pages = PageFuzz(folder / "tracking", seed)
            pages.run(n_pages)
            say(f"{n_rows:,} rows")
            rows, lost = fuzz_rows(folder, n_rows, seed)
            say(f"{payloads - n_pages - n_rows:,} items of platforms")
            answers, crashed = fuzz_answers(folder, payloads - n_pages - n_rows, seed)
    finally:
        logging.disable(logging.NOTSET)
    wrong = pages.crashes + pages.lost(n_pages) + lost + crashed
    return SourcesReport(
        payloads=n_pages + rows.total() + answers["items"],
        page_taken=pages.outcomes["taken"],
        page_refused=pages.outcomes["refused"],
        page_events=pages.kept["events"],
        page_dead_letters=pages.kept["dead_letters"],
        row_events=rows["events"],
        row_dead_letters=rows["dead_letters"],
        answer_items=answers["items"],
        answer_events=answers["events"],
        answer_dead_letters=answers["dead_letters"],
        answers_refused=answers["answers_refused"],
        seconds=round(time.monotonic() - started, 1),
        findings=len(wrong),
        wrong=wrong[:10],
    )

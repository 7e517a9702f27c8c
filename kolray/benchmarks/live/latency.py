"""How long after it was sent an event is in a row that a reader of Cassandra gets, under an even load."""

from __future__ import annotations

import multiprocessing
import uuid
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from kolray.benchmarks.live.probing import POLL_S, delays, probe
from kolray.benchmarks.live.running import LIMIT_S, LiveStream, check_home, live_stream
from kolray.benchmarks.live.sending import Load, Sent, send, send_apart
from kolray.clock import Clock
from kolray.errors import KolrayError
from kolray.settings import Settings
from kolray.stores.open import open_metrics_store
from kolray.stream.windows import PANE

WARM_UP_S = 10.0
PROBES = 20
SETTLE_S = 15.0
"""Seconds after the last event in which every one has to be readable."""


@dataclass(frozen=True)
class Latency:
    """Figures of one run; seconds from an event's time to the answer that counts it, of the probed KOLs' events.

    ``poll_s`` is in them: an event may have been readable that much earlier. ``events_seen`` of ``events_sent`` were
    in the pane rows of all KOLs at the end. CPU seconds are those of the time in which events were sent.
    """

    events_sent: int
    events_seen: int
    events_per_second: int
    probed: int
    p50_s: float
    p99_s: float
    max_s: float
    poll_s: float
    producer_behind_s: float
    shards_cpu_s: float
    ray_cpu_s: float


def latency(
    settings: Settings, seconds: float = 40, rate: int = 20_000, n_kols: int = 2000, warm_up_s: float = WARM_UP_S
) -> Latency:
    """Runs ``kolray stream`` on the servers of this home and sends it ``rate`` events a second of the present.

    Args:
        warm_up_s: events of the first seconds are sent but not judged.

    Raises:
        SettingsError: the home is not the local profile, or a stream runs there.
        KolrayError: a process of the bench died, or the stream did.
    """
    check_home(settings)
    run = f"live-{uuid.uuid4().hex[:8]}-"
    load = Load(rate, seconds, n_kols, run)
    watched = tuple(load.kol_id(i * n_kols // PROBES) for i in range(PROBES))  # from the loudest to the quietest
    load = Load(rate, seconds, n_kols, run, watched=watched)
    with live_stream(settings, {}) as stream:
        _wait_for_the_store(settings, stream.clock, run)
        before = stream.cpu_s()
        sent, polls, seen = _under_load(settings, stream, load)
        used = [after - start for after, start in zip(stream.cpu_s(), before, strict=True)]
    found = delays(sent.times, polls)
    judged = found.filter(pl.col("at_ms") >= found["at_ms"].min() + warm_up_s * 1000)  # type: ignore[operator]
    took = judged["delay_ms"].fill_null(int((seconds + SETTLE_S) * 1000)) / 1000  # never seen: as slow as can be
    gaps = polls["at_ms"].unique().sort().diff().drop_nulls() / 1000
    return Latency(
        events_sent=sent.events,
        events_seen=seen,
        events_per_second=round(sent.events / sent.wall_s),
        probed=judged.height,
        p50_s=round(took.quantile(0.5) or 0.0, 3),
        p99_s=round(took.quantile(0.99) or 0.0, 3),
        max_s=round(float(took.max()), 3),  # type: ignore[arg-type]
        poll_s=round(gaps.median() or POLL_S, 3),  # type: ignore[arg-type]
        producer_behind_s=round(sent.behind_s, 3),
        shards_cpu_s=round(used[0], 2),
        ray_cpu_s=round(used[1], 2),
    )


def _wait_for_the_store(settings: Settings, clock: Clock, run: str) -> None:
    """Returns once a few events went all the way: what an earlier run left to be written is written."""
    few = Load(100, 0.2, 10, run + "first-")
    sent = send(settings.kafka, settings.registry.url, few).events
    if _seen_at_last(settings, clock, few, sent, LIMIT_S) < sent:
        raise KolrayError(
            f"the first events were not readable within {LIMIT_S:.0f} s; use a home that has not streamed"
        )


def _under_load(settings: Settings, stream: LiveStream, load: Load) -> tuple[Sent, pl.DataFrame, int]:
    """Sends and polls in processes of their own; returns what was sent, the polls, and how many events are readable."""
    spawn = multiprocessing.get_context("spawn")
    (prober, its_end), (sender, their_end) = spawn.Pipe(), spawn.Pipe()
    processes = [
        spawn.Process(target=probe, args=(its_end, settings.metrics_url, load.watched), daemon=True),
        spawn.Process(target=send_apart, args=(their_end, settings.kafka, settings.registry.url, load), daemon=True),
    ]
    try:
        processes[0].start()
        its_end.close()  # so that a process that dies is an EOFError here instead of silence
        prober.recv()
        processes[1].start()
        their_end.close()
        sent: Sent = sender.recv()
        seen = _seen_at_last(settings, stream.clock, load, sent.events, SETTLE_S)
        prober.send("stop")
        polls: pl.DataFrame = prober.recv()
    except EOFError as error:
        raise KolrayError("a process of the benchmark died; its own error stands above") from error
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()
    return sent, polls, seen


def _seen_at_last(settings: Settings, clock: Clock, load: Load, sent: int, limit_s: float) -> int:
    """Events in the pane rows of all KOLs, once they are all there or should be."""
    store, now = open_metrics_store(settings), clock.now()
    span = (now - timedelta(hours=1), now + timedelta(hours=1))
    limit = clock.monotonic() + limit_s
    try:
        while True:
            panes = pl.concat(store.windows(load.kol_id(number), PANE, *span) for number in range(load.n_kols))
            seen = int(panes.select(pl.sum_horizontal("events", "web_events").sum()).item())
            if seen >= sent or clock.monotonic() > limit:
                return seen
            clock.sleep(0.2)
    finally:
        store.close()

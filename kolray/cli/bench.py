"""``kolray bench``: measurements on the services the settings name."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table

from kolray.errors import SettingsError
from kolray.settings import load_settings

if TYPE_CHECKING:
    from kolray.benchmarks.simulate.run import Report

app = typer.Typer(no_args_is_help=True, help="Measure kolray on the services the settings name.")


@app.callback()
def _group() -> None:
    """Keeps ``stream`` a subcommand."""


def _report(title: str, figures: dict[str, Any], as_json: bool, *, right: bool) -> None:
    """Prints the figures and ends with 1 where something was not right."""
    if as_json:
        print(json.dumps(figures))
    else:
        table = Table("figure", "value", title=title)
        for name, value in figures.items():
            table.add_row(name, f"{value:,}" if isinstance(value, int | float) else str(value))
        Console().print(table)
    if not right:
        raise typer.Exit(1)


@app.command()
def stream(
    events: int = typer.Option(2_000_000, min=10_000, help="events to produce and read; 15,000,000 have a steady part"),
    shards: int = typer.Option(2, min=1, help="shard processes"),
    peers: Path | None = typer.Option(None, help="prepared folder of the engine comparison: Flink runs beside ours"),
    registry: str | None = typer.Option(None, help="schema registry for the peers; none: that of the settings"),
    live: bool = typer.Option(True, help="stores, latency and recovery too: the local profile's servers for ourselves"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """The stream engine on the servers of the settings: throughput, many KOLs, stores; every row is compared."""
    from kolray.benchmarks.stream.run import run

    settings = load_settings()
    asked = registry or settings.registry.url
    if peers is not None and asked is None:
        raise SettingsError("Flink asks a schema registry: name one by --registry URL or KOLRAY_REGISTRY__URL")
    console = Console(stderr=True)
    with console.status("…") as status:
        beside = (peers, asked) if peers is not None and asked is not None else None
        figures = run(
            settings,
            events,
            shards,
            beside,
            live and settings.profile == "local",
            lambda text: status.update(f"{text} …"),
        )
    _report("kolray bench stream", figures, as_json, right=not figures["rows_wrong"])


@app.command()
def lake(
    events: int = typer.Option(1_900_000, min=10_000, help="valid and broken events; 5 % of them come twice"),
    peers: Path | None = typer.Option(None, help="prepared folder of the engine comparison: Spark runs beside ours"),
    everything: bool = typer.Option(True, help="bronze from a broker of its own, ten million rows and queries too"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Bronze, silver and gold over raw rows: what they cost; every total is compared with one grouping of all rows."""
    from kolray.benchmarks.lake.run import run

    with Console(stderr=True).status("…") as status:
        figures = run(events, peers, everything, lambda text: status.update(f"{text} …"))
    _report("kolray bench lake", figures, as_json, right=not figures["differences"])


@app.command()
def rankings(
    kols: int = typer.Option(1_000_000, min=1000, help="KOLs that are ranked"),
    pages: int = typer.Option(20_000, min=1000, help="pages to read; a tenth of it by HTTP, and as many updates"),
    seed: int = typer.Option(1, help="the same seed ranks and asks the same"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Pages of rankings while scores and hours come in, and how soon an update shows; on a Redis of its own."""
    from kolray.benchmarks.rankings import run

    with Console(stderr=True).status("…") as status:
        figures = run(kols, pages, seed, lambda text: status.update(f"{text} …"))
    _report("kolray bench rankings", figures, as_json, right=not figures["problems"])


@app.command()
def forecast(
    kols: int = typer.Option(100_000, min=100, help="KOLs with four weeks of hours"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Forecast every KOL's next day from a lake of its own to gold and Redis, then one KOL after the other."""
    from kolray.benchmarks.forecast.run import run

    with Console(stderr=True).status("…") as status:
        figures = run(kols, lambda text: status.update(f"{text} …"))
    _report(
        "kolray bench forecast", asdict(figures), as_json, right=figures.rows == figures.kols * figures.metrics * 24
    )


@app.command()
def serving(
    kols: int = typer.Option(10_000, min=1000, help="KOLs that are asked for, by Zipf's law"),
    rate: float = typer.Option(300, min=1, help="requests a second, sent when planned, whatever the server does"),
    seconds: float = typer.Option(20, min=1, help="how long, on Ray Serve, on uvicorn alone and with Redis killed"),
    haproxy: bool = typer.Option(True, help="behind Ray's HAProxy, and for comparison behind its own proxies"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Scores over HTTP without the cache, on servers of its own; nothing but 200 may be answered."""
    from kolray.benchmarks.serving.run import Plan, run

    with Console(stderr=True).status("…") as status:
        figures = run(Plan(rate, seconds, kols), lambda text: status.update(f"{text} …"), haproxy=haproxy)
    _report("kolray bench serving", figures, as_json, right=not figures["errors"] + figures["redis_killed_errors"])


@app.command()
def chaos(
    kills: int = typer.Option(30, min=1, help="how often something is killed or stopped"),
    seed: int = typer.Option(1, help="the same seed strikes the same parts in the same order"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Kill shards, supervisor, Redis and broker of a running stream; then nothing may be lost, doubled or stale."""
    from kolray.benchmarks.chaos.run import run

    with Console(stderr=True).status(f"{kills} kills …"):
        report = run(load_settings(), kills, seed)
    _report("kolray bench chaos", asdict(report), as_json, right=report.right)


@app.command()
def lake_chaos(
    kills: int = typer.Option(100, min=1, help="how often a driver or a worker of a layer is killed"),
    seed: int = typer.Option(1, help="the same seed strikes the same layers in the same order"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Kill the lake's jobs anywhere in bronze, silver, gold and maintenance; then nothing may be lost or doubled."""
    from kolray.benchmarks.lake_chaos.run import run

    with Console(stderr=True).status(f"{kills} kills …"):
        report = run(load_settings(), kills, seed)
    _report("kolray bench lake-chaos", asdict(report), as_json, right=report.right)


@app.command()
def simulate(
    schedules: int = typer.Option(10_000, min=1, help="schedules of consecutive seeds"),
    first: int = typer.Option(0, min=0, help="the first seed"),
    processes: int = typer.Option(2, min=1, help="processes that share them"),
    seed: int | None = typer.Option(None, min=0, help="replay this one schedule and say what happened in it"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """The stream under a seeded scheduler that crashes, hangs, delays and rescales it; no servers are needed."""
    from kolray.benchmarks.simulate import run as simulation

    if seed is not None:
        outcome = simulation.simulate(seed, traced=True)
        if as_json:
            print(json.dumps({"seed": seed, "problems": outcome.problems, "trace": outcome.trace}))
        else:
            print(*outcome.trace, *(outcome.problems or ["every promise held"]), sep="\n")
        raise typer.Exit(1 if outcome.problems else 0)
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("schedules", total=schedules)
        report = simulation.run(schedules, processes, first, lambda n: bar.advance(task, n))
    if as_json:
        print(json.dumps(asdict(report)))
    else:
        _print_simulation(report)
    if report.failures:
        raise typer.Exit(1)


def _print_simulation(report: Report) -> None:
    table = Table("figure", "value", title="kolray bench simulate")
    for name in ("schedules", "failures", "schedules_per_second"):
        table.add_row(name, f"{getattr(report, name):,}")
    for name, n in {**report.faults, **report.boundaries}.items():
        table.add_row(f"  {name}", f"{n:,}")
    Console().print(table)
    for failed, problems in report.failed.items():
        Console().print(f"seed {failed}: {problems[0]}\n  again: kolray bench simulate --seed {failed}", markup=False)


@app.command()
def fuzz(
    records: int = typer.Option(100_000, min=10_000, help="records that readers may see; aborted ones come on top"),
    seed: int = typer.Option(1, help="the same seed makes the same records"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Send broken, aborted, damaged and valid records; each visible one must become an event or a dead letter, once."""
    from kolray.benchmarks.fuzz.run import run

    with Console(stderr=True).status(f"{records:,} fuzzed records …"):
        report = run(load_settings(), records, seed)
    _report("kolray bench fuzz", asdict(report), as_json, right=report.right)


@app.command()
def fuzz_sources(
    payloads: int = typer.Option(1_000_000, min=100, help="hits, rows of files, and items of platforms' answers"),
    seed: int = typer.Option(1, help="the same seed makes the same payloads"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Hostile payloads to tracked pages, files and connectors; each must be accepted, dead-lettered or refused."""
    from kolray.benchmarks.fuzz_sources.run import run

    with Console(stderr=True).status("…") as status:
        report = run(payloads, seed, lambda text: status.update(f"{text} …"))
    _report("kolray bench fuzz-sources", asdict(report), as_json, right=not report.findings)


@app.command()
def nab(
    data: Path = typer.Option(help="folder with NAB's Twitter series and combined_windows.json"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """The own-history pattern on the Twitter series of the Numenta Anomaly Benchmark, by its scoring rules."""
    from kolray.benchmarks.nab import run

    with Console(stderr=True).status("NAB …"):
        report = run(data).to_json()
    if as_json:
        print(json.dumps(report))
        return
    scored = {name: figures for name, figures in report.items() if isinstance(figures, dict)}
    title = f"kolray bench nab: {report['series']} series, {report['rows']:,} rows, {report['seconds']} s"
    table = Table("detector", *next(iter(scored.values())), title=title)
    for name, figures in scored.items():
        table.add_row(name, *(f"{value:,.4g}" for value in figures.values()))
    Console().print(table)


@app.command()
def ingest(
    events: int = typer.Option(1_000_000, min=10_000, help="events to encode and produce"),
    rows: int = typer.Option(1_000_000, min=10_000, help="rows of a file to ingest, one of a thousand bad"),
    rate: float = typer.Option(1_500, min=10, help="pixel hits a second, sent when planned, whatever the server does"),
    outage: float = typer.Option(60, min=0, help="seconds the broker is killed for while events are produced; 0: not"),
    server: str = typer.Option("uvicorn", help="what answers pixels: uvicorn alone, or ray"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object for machines"),
) -> None:
    """Producing, files and pixels on servers of its own, and a broker that is away; everything sent is looked for."""
    from kolray.benchmarks.ingest.run import Plan, run

    with Console(stderr=True).status("…") as status:
        figures = run(Plan(events, rows, rate, outage, server), lambda text: status.update(f"{text} …"))
    _report("kolray bench ingest", figures, as_json, right=not figures["problems"])


def register(root: typer.Typer) -> None:
    """Adds ``kolray bench``."""
    root.add_typer(app, name="bench")

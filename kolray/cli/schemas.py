"""``kolray schemas``: what may follow what, what differs, and registering it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from kolray.errors import InvalidInputError
from kolray.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Avro schemas of the topics: checked, compared, registered.")
TOPIC = typer.Option(None, "--topic", help="one of kolray's topics; default: all")
FILE = typer.Option(None, "--file", help="a schema to judge instead of the package's; needs --topic")
MODE = typer.Option(None, "--mode", help="e.g. BACKWARD or FULL_TRANSITIVE; default: the registry's own")


@app.command()
def check(
    topic: str | None = TOPIC,
    file: Path | None = FILE,
    mode: str | None = MODE,
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Whether schemas may follow those before them; exits 1 where one may not.

    Without a registry in the settings: the package's versions against one another, so that CI refuses an edited or
    breaking one. With a registry, or --file: against what the registry holds.
    """
    from kolray.schemas.checks import check_candidate, check_package
    from kolray.schemas.registry import HttpRegistry, open_registry

    registry = open_registry(load_settings().registry.url)
    wanted = _wanted(topic, file)
    verdicts = [] if file is not None else [verdict for verdict in check_package() if verdict.topic in wanted]
    if file is not None or isinstance(registry, HttpRegistry):
        verdicts = [verdict for verdict in verdicts if verdict.against or verdict.problems]
        for name, schema in wanted.items():
            verdicts.append(check_candidate(registry, name, schema, mode or _mode(registry, name)))
    _show(verdicts, as_json=as_json)


@app.command("register")
def register_schemas(
    topic: str | None = TOPIC,
    file: Path | None = FILE,
    mode: str | None = typer.Option(
        None, "--mode", help="also hold the topics to this mode of compatibility from now on"
    ),
) -> None:
    """Register schemas with the registry of the settings; nothing is registered where one may not follow."""
    from kolray.schemas.checks import check_candidate
    from kolray.schemas.registry import HttpRegistry, open_registry

    registry = open_registry(load_settings().registry.url)
    if not isinstance(registry, HttpRegistry):
        raise InvalidInputError("the package itself is the registry here; KOLRAY_REGISTRY__URL names another")
    wanted = _wanted(topic, file)
    verdicts = [check_candidate(registry, name, s, mode or registry.mode(name)) for name, s in wanted.items()]
    if any(verdict.problems for verdict in verdicts):
        _show(verdicts, as_json=False)
    for name, schema in wanted.items():
        print(f"{name}-value: id {registry.register(name, schema)}")
        if mode:  # after the first version: some servers know no subject before
            registry.set_mode(name, mode)


@app.command()
def diff(topic: str = typer.Argument(help="one of kolray's topics"), file: Path | None = FILE) -> None:
    """Field by field: the newest version that the registry holds against the package's, or against --file."""
    from kolray.schemas.compatibility import MODES, breaks, fields_changed
    from kolray.schemas.registry import open_registry

    [(_, new)] = _wanted(topic, file).items()
    held = [schema for _, schema in sorted(open_registry(load_settings().registry.url).versions(topic).items())]
    changes = fields_changed(held[-1], new) if held else ["nothing is registered yet"]
    print("\n".join(changes or ["no difference"]))
    if held:
        print("may follow in: " + ", ".join(mode for mode in MODES if not breaks(new, held, mode)))


def _wanted(topic: str | None, file: Path | None) -> dict[str, dict[str, Any]]:
    from kolray.schemas.registry import VERSIONS, packaged_schema

    if topic is not None and topic not in VERSIONS:
        raise InvalidInputError(f"no topic {topic}; kolray's are {', '.join(VERSIONS)}")
    if file is None:
        return {name: packaged_schema(name) for name in ([topic] if topic else VERSIONS)}
    if topic is None:
        raise InvalidInputError("--file needs --topic: which topic is the schema for?")
    try:
        schema = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{file} cannot be read as a schema: {error}") from error
    if not isinstance(schema, dict) or schema.get("type") != "record":
        raise InvalidInputError(f"{file}: the values of a topic are records, so its schema is one of type record")
    return {topic: schema}


def _mode(registry: object, topic: str) -> str:
    from kolray.schemas.checks import RELEASE_MODE
    from kolray.schemas.registry import HttpRegistry

    return registry.mode(topic) if isinstance(registry, HttpRegistry) else RELEASE_MODE


def _show(verdicts: list[Any], *, as_json: bool) -> None:
    """Prints them; exits 1 where there are problems."""
    from dataclasses import asdict

    if as_json:
        print(json.dumps([asdict(verdict) for verdict in verdicts]))
    else:
        table = Table("topic", "mode", "earlier versions", "verdict", box=None, header_style="bold")
        for verdict in verdicts:
            said = "[red]may not follow[/]" if verdict.problems else "[green]may follow[/]"
            table.add_row(verdict.topic, verdict.mode, str(verdict.against), said)
        Console().print(table)
        for verdict in verdicts:
            for problem in verdict.problems:
                print(f"{verdict.topic}: {problem}")
    if any(verdict.problems for verdict in verdicts):
        raise typer.Exit(1)


def register(root: typer.Typer) -> None:
    """Adds ``schemas`` to ``kolray``."""
    root.add_typer(app, name="schemas")

"""``kolray settings``: every setting, its variable, default, meaning and value in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from kolray.redaction import redacted
from kolray.settings import Settings, load_settings

MASK = "********"


def all_settings() -> Iterator[tuple[str, FieldInfo]]:
    """(dotted name, field) of every setting."""
    yield from _fields(Settings, "")


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _fields(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def variable(name: str) -> str:
    """The environment variable of a setting.

    >>> variable("kafka.bootstrap")
    'KOLRAY_KAFKA__BOOTSTRAP'
    """
    return "KOLRAY_" + name.upper().replace(".", "__")


def markdown() -> str:
    """The table of ``docs/settings.md``."""
    lines = ["| setting | environment variable | default | meaning |", "|---|---|---|---|"]
    for name, field in all_settings():
        lines.append(f"| `{name}` | `{variable(name)}` | `{field.default}` | {field.description} |")
    return "\n".join(lines) + "\n"


def _value(settings: Settings, name: str) -> str:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return MASK if isinstance(value, SecretStr) else redacted(str(value))


def settings(as_markdown: bool = typer.Option(False, "--markdown", help="the reference table of the docs")) -> None:
    """Show every setting, its environment variable and the value in force; secrets are masked, also in addresses."""
    if as_markdown:
        print(markdown(), end="")
        return
    held = load_settings()
    table = Table("setting", "variable", "value", "meaning")
    for name, field in all_settings():
        table.add_row(name, variable(name), _value(held, name), field.description)
    Console().print(table)


def register(root: typer.Typer) -> None:
    """Adds ``kolray settings``."""
    root.command()(settings)

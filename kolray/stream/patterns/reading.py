"""Patterns from TOML. Every mistake is named with its file, pattern and step, and what to do about it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from kolray.errors import SettingsError
from kolray.stream.patterns.check import check_pattern
from kolray.stream.patterns.declare import Pattern, Step

SEVERITIES = ("info", "warning", "high")

_NUMBERS = ("min_value", "sigmas", "min_sd", "falls", "rises")
_TEXTS = ("value", "only", "when")
_COUNTS = ("min_history", "times")
_STEP_KEYS = tuple(field.name.replace("absent", "not") for field in fields(Step))
_PATTERN_KEYS = ("name", "severity", "window", "step")


def shipped() -> tuple[Pattern, ...]:
    """The patterns kolray ships."""
    text = files("kolray.stream.patterns").joinpath("default.toml").read_text()
    return parse(text, "default.toml", check=False)


def read(path: Path, windows: Collection[str] | None = None) -> tuple[Pattern, ...]:
    """The patterns of a file.

    Args:
        windows: window kinds the stream computes; none: any.

    Raises:
        SettingsError: the file cannot be read, or anything in it is wrong.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the patterns cannot be read ({error}); correct stream.patterns_file") from error
    return parse(text, str(path), windows)


def parse(text: str, source: str, windows: Collection[str] | None = None, *, check: bool = True) -> tuple[Pattern, ...]:
    """The patterns of a TOML text; ``source`` names it in messages. Raises as ``read``."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{source}: not TOML ({error})") from error
    _known(content, ("pattern", "shipped"), source)
    tables = content.get("pattern", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"{source}: write each pattern under its own [[pattern]]")
    keep = content.get("shipped", False)
    if not isinstance(keep, bool):
        raise SettingsError(f"{source}: shipped = {keep!r}; write true to keep the patterns kolray ships beside these")
    found = [*(shipped() if keep else ()), *(_pattern(table, i, source) for i, table in enumerate(tables, 1))]
    names = [pattern.name for pattern in found]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"{source}: two patterns are named {name!r}; alerts are told apart by it: rename one")
    for pattern in found if check else ():
        check_pattern(pattern, f"{source}: pattern {pattern.name!r}", windows)
    return tuple(found)


def _pattern(table: Mapping[str, Any], number: int, source: str) -> Pattern:
    name = table.get("name")
    if not isinstance(name, str) or not name.replace("_", "a").isalnum():
        raise SettingsError(f"{source}: pattern {number} has name = {name!r}; give it letters, digits and underscores")
    where = f"{source}: pattern {name!r}"
    _known(table, _PATTERN_KEYS, where)
    severity = table.get("severity", "warning")
    if severity not in SEVERITIES:
        raise SettingsError(f"{where}: severity = {severity!r}; choose one of {', '.join(SEVERITIES)}")
    steps = table.get("step")
    if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
        raise SettingsError(f"{where}: it has no steps; write each under its own [[pattern.step]]")
    window = _typed(table, "window", str, "1h", where)
    return Pattern(name, tuple(_step(s, f"{where}, step {i}") for i, s in enumerate(steps, 1)), window, severity)


def _step(table: Mapping[str, Any], where: str) -> Step:
    _known(table, _STEP_KEYS, where)
    values: dict[str, Any] = {name: _typed(table, name, str, None, where) for name in _TEXTS}
    for name in _NUMBERS:
        number = _typed(table, name, (int, float), getattr(Step, name), where)
        values[name] = None if number is None else float(number)
    values |= {name: _typed(table, name, int, getattr(Step, name), where) for name in _COUNTS}
    values["within"] = _typed(table, "within", (int, str), None, where)
    values["absent"] = _typed(table, "not", bool, False, where)
    return Step(**values)


_WANTED: dict[Any, str] = {str: "a text", int: "a whole number", bool: "true or false", (int, float): "a number"}


def _typed(table: Mapping[str, Any], name: str, kind: Any, default: Any, where: str) -> Any:
    if name not in table:
        return default
    value = table[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = _WANTED.get(kind, "a duration such as 3h, or a number of windows")
        raise SettingsError(f"{where}: {name} = {value!r}; write {wanted}")
    return value


def _known(table: Mapping[str, Any], keys: Collection[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise SettingsError(f"{where}: unknown key {key!r}; known are {', '.join(keys)}")


RULES = shipped()
"""The patterns kolray ships: what runs when the settings name no file."""

"""Folders of the published engine comparison."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kolray.errors import SettingsError


def check_prepared(folder: Path, needed: Iterable[str]) -> None:
    """
    Raises:
        SettingsError: the folder lacks something of what is needed.
    """
    if missing := [name for name in needed if not (folder / name).exists()]:
        raise SettingsError(f"{folder} is not prepared: {', '.join(missing)} missing; its README says how")

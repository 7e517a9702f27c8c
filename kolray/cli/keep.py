"""``kolray keep``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from kolray.cli.services import init
from kolray.errors import InvalidInputError
from kolray.redaction import redacted
from kolray.settings import Settings, load_settings

CONFIG = typer.Option(Path("serve_configs/prod.yaml"), "--config", help="the file for `serve deploy`")


def keep(
    config: Path = CONFIG,
    stream: str = typer.Option("python jobs/stream.py", help="command of the stream's job, run on the head"),
    night: str | None = typer.Option(
        None, help="command of the night's work, e.g. python jobs/nightly.py: at 00:30 UTC"
    ),
    ray: str = typer.Option("http://127.0.0.1:8265", envvar="RAY_ADDRESS", help="Ray's dashboard"),
    api: str = typer.Option("http://127.0.0.1:8000", envvar="KOLRAY_URL", help="where the API answers"),
    every_s: float = typer.Option(15, "--every", min=1, help="seconds between two looks"),
    check: bool = typer.Option(False, "--check", help="say what is wrong and end: 0 where the API and the stream run"),
) -> None:
    """Keep the API and the stream on a Ray cluster until Ctrl-C: deploy what is missing, e.g. after a restart of Ray.

    First makes topics and schemas, as `kolray init`; makes the lake's tables known to the Trino that settings name.
    A stream that was stopped is started again: to stop it, end this first.
    """
    if check:
        _check(load_settings(), api)
        return
    import httpx
    import yaml

    from kolray.local.keeper import Keeper, Kept

    try:
        serve = yaml.safe_load(config.read_text()) or {}  # an empty file is None, and refused below
    except OSError as error:
        raise InvalidInputError(f"--config {config}: {error.strerror}") from error
    kept = Kept(listening(serve, load_settings()), stream, api, night)
    init()
    with httpx.Client(base_url=ray, headers=_token(), timeout=60) as client:
        looks = [Keeper(client, kept).keep, _Tables(load_settings()).register]
        before = [""] * len(looks)
        while True:
            before = [_try(look, told) for look, told in zip(looks, before, strict=True)]
            time.sleep(every_s)


def listening(serve: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The configuration; where ``KOLRAY_SERVING__HOST`` is set, with that address: beyond loopback is a setting."""
    said = {"host": settings.serving.host} if "host" in settings.serving.model_fields_set else {}
    return serve | {"http_options": serve.get("http_options", {}) | said}


def _try(look: Callable[[], list[str]], before: str) -> str:
    """Says what was done, or why nothing could be where that is news; returns the latter."""
    try:
        for done in look():
            print(done, flush=True)
    # Ray that starts, Trino or a bucket that is away: whatever is wrong now, looking again is all there is to do.
    except Exception as error:
        told = f"not yet: {type(error).__name__}: {redacted(' '.join(str(error).split()))[:500]}"
        if told != before:
            print(told, file=sys.stderr, flush=True)
        return told
    return ""


def _token() -> dict[str, str]:
    """As Ray's own clients find it."""
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    token = os.environ.get("RAY_AUTH_TOKEN") or (Path(path).read_text().strip() if path else "")
    return {"Authorization": f"Bearer {token}"} if token else {}


class _Tables:
    """Names new tables to Trino, which looks for none by itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: list[str] = []

    def register(self) -> list[str]:
        """What was made known; a Trino that was away is asked again next time."""
        if self._settings.serving.trino is None:
            return []
        from kolray.lake.tables import LakeTables
        from kolray.lake.trino import register

        tables = LakeTables(self._settings.lake_root)
        names = tables.names()
        if names == self._known:
            return []
        new = register(tables, self._settings.serving.trino)
        self._known = names
        return [f"Trino knows {', '.join(new)}"] if new else []


def _check(settings: Settings, api: str) -> None:
    from kolray.local.keeper import api_trouble
    from kolray.stream.status import StatusFile

    stream = StatusFile(settings.home).read()
    state = "never ran here" if stream is None else stream["state"]
    found = (api_trouble(api), None if state == "running" else f"the stream: {state}")
    troubles = [trouble for trouble in found if trouble]
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    raise typer.Exit(1 if troubles else 0)


def register(root: typer.Typer) -> None:
    """Adds it."""
    root.command()(keep)

"""Logs as JSON lines on stderr, with the ids of what is being worked on and without secrets.

A line has ``timestamp``, ``level``, ``logger``, ``message``, what a call gives as ``extra``, and ``request_id`` and
``kol_id`` where a request is being answered, so that the id a client was given finds every line about it.
"""

from __future__ import annotations

import logging
import sys
from datetime import date
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from kolray.observability.asked import ASKED
from kolray.redaction import redacted
from kolray.settings import Settings, load_settings

QUIET = ("kafka", "httpx", "httpcore", "botocore", "urllib3")
"""Libraries that tell every connection and request."""


class _Context(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        asked = ASKED.get()
        for name, value in vars(asked).items() if asked else ():
            if value is not None and not hasattr(record, name):
                setattr(record, name, value)
        return True


class _Json(JsonFormatter):
    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Before it becomes JSON, whose quotes a secret must not take along."""
        return {name: _without_secrets(value) for name, value in super().process_log_record(log_data).items()}


def _without_secrets(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | date():
            return value
        case dict():
            return {name: _without_secrets(each) for name, each in value.items()}
        case list() | tuple():
            return [_without_secrets(each) for each in value]
        case _:
            return redacted(str(value))


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def set_up_logs(*, as_json: bool, stream: TextIO | None = None) -> None:
    """For this process, instead of what was set up before; a job or an actor calls it first.

    Args:
        stream: none: stderr.
    """
    handler = logging.StreamHandler(stream)
    handler.addFilter(_Context())
    names = {"levelname": "level", "name": "logger"}
    structured = _Json("{levelname}{name}{message}", style="{", rename_fields=names, timestamp=True)
    plain = _Plain("%(asctime)s %(name)s %(levelname)s %(message)s")
    handler.setFormatter(structured if as_json else plain)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _log_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Instead of Python's own traceback, in which libraries show the addresses that they were given."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger(__name__).critical("the job ends by an error", exc_info=(kind, error, trace))


def job_settings() -> Settings:
    """The settings of a process that begins a job, whose log is from now on as they say, also if an error ends it."""
    settings = load_settings()
    set_up_logs(as_json=settings.observe.json_logs)
    sys.excepthook = _log_the_end
    return settings

"""Log lines are JSON, name what is being worked on, and hold no secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from kolray.observability.logs import KOL_ID, REQUEST_ID, set_up_logs


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    set_up_logs(as_json=True, stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_has_the_ids_of_its_request_and_what_the_call_gives(written: io.StringIO) -> None:
    request, kol = REQUEST_ID.set("req-1"), KOL_ID.set("kol-7")
    logging.getLogger("kolray.x").info("checkpoints made", extra={"checkpoints": {"0": 4}})
    REQUEST_ID.reset(request)
    KOL_ID.reset(kol)
    line = json.loads(written.getvalue())
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "kolray.x", "checkpoints made")
    assert (line["request_id"], line["kol_id"], line["checkpoints"]) == ("req-1", "kol-7", {"0": 4})
    assert line["timestamp"].endswith("+00:00")


def test_an_error_is_one_line_with_its_traceback_and_without_secrets(written: io.StringIO) -> None:
    try:
        raise OSError("redis://:geheim@cache:6379 refused 'Bearer abc.def'")
    except OSError:
        logging.getLogger("kolray.x").exception("asked %s", "https://api.example/v3?key=AIza123&part=id")
    [line] = written.getvalue().splitlines()
    told = json.loads(line)
    assert "Traceback" in told["exc_info"]
    assert told["message"] == "asked https://api.example/v3?key=***&part=id"
    for secret in ("geheim", "abc.def", "AIza123"):
        assert secret not in line


def test_outside_of_a_request_no_id_is_made_up(written: io.StringIO) -> None:
    logging.getLogger("kolray.x").warning("plain")
    assert not {"request_id", "kol_id"} & set(json.loads(written.getvalue()))

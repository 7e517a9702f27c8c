"""Log lines are JSON, name what is being worked on, and hold no secret."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys

from kolray.observability.asked import ASKED, Asked, about


def test_a_line_has_the_ids_of_its_request_and_what_the_call_gives(written: io.StringIO) -> None:
    token = ASKED.set(Asked("req-1"))
    about("kol-7")
    logging.getLogger("kolray.x").info("checkpoints made", extra={"checkpoints": {"0": 4}})
    ASKED.reset(token)
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


def test_a_secret_takes_no_quote_along(written: io.StringIO) -> None:
    extra = {"asked": {"at": "redis://:geheim@cache", "tries": 2}}
    logging.getLogger("kolray.x").warning('"https://api.example/v3?key=AIza1" with password="geheim"', extra=extra)
    told = json.loads(written.getvalue())
    assert told["message"] == '"https://api.example/v3?key=***" with password="***"'
    assert told["asked"] == {"at": "redis://***@cache", "tries": 2}


def test_outside_of_a_request_no_id_is_made_up(written: io.StringIO) -> None:
    logging.getLogger("kolray.x").warning("plain")
    assert not {"request_id", "kol_id"} & set(json.loads(written.getvalue()))


def test_an_error_that_ends_a_job_is_a_line_without_secrets() -> None:
    job = "from kolray.observability.logs import job_settings; job_settings(); raise OSError('redis://:geheim@cache')"
    done = subprocess.run([sys.executable, "-c", job], capture_output=True, text=True, check=False)
    told = json.loads(done.stderr)
    assert done.returncode == 1
    assert (told["level"], told["message"]) == ("CRITICAL", "the job ends by an error")
    assert "OSError: redis://***@cache" in told["exc_info"]

"""An S3 server for tests: moto in a process of its own, which ends with the one that started it.

It answers one request at a time. So its conditional put is one step, as in a real store; in threads moto looks first
and writes later, and two writers of one name both succeed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from kolray.settings import S3Settings

BUCKETS = ("state", "lake")
LOST, BUSY = "/-/lost", "/-/busy"


@contextmanager
def s3_server() -> Iterator[S3Settings]:
    """How to reach a server that holds the empty ``BUCKETS``."""
    command = [sys.executable, "-m", __name__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        endpoint = f"http://127.0.0.1:{int(server.stdout.readline())}"
        for bucket in BUCKETS:
            httpx.put(f"{endpoint}/{bucket}").raise_for_status()
        yield S3Settings(
            endpoint=endpoint, region="us-east-1", access_key_id=SecretStr("key"), secret_access_key=SecretStr("secret")
        )
        server.stdin.close()


def aws_variables(s3: S3Settings) -> dict[str, str]:
    """The same in the usual variables of an environment."""
    return {
        "AWS_ENDPOINT_URL": str(s3.endpoint),
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }


def lose_answer(s3: S3Settings, of: str) -> None:
    """The next put of a name that holds ``of`` is carried out and never answered: its connection breaks."""
    httpx.post(f"{s3.endpoint}{LOST}", content=of).raise_for_status()


def be_busy(s3: S3Settings, of: str) -> None:
    """The next request for a name that holds ``of`` is not carried out: the store says that it has too much to do."""
    httpx.post(f"{s3.endpoint}{BUSY}", content=of).raise_for_status()


class _Faulty:
    """moto, which fails when it is told to."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._faults: dict[str, list[str]] = {LOST: [], BUSY: []}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path in self._faults:
            self._faults[path].append(_body(environ).decode())
            start_response("204 No Content", [])
            return []
        if self._is_due(BUSY, f"{path}?{environ['QUERY_STRING']}"):
            _body(environ)
            start_response("503 Slow Down", [])
            return []
        answer = self._app(environ, start_response)
        if method == "PUT" and self._is_due(LOST, path):
            raise ConnectionError  # werkzeug ends the connection and says nothing
        return answer

    def _is_due(self, fault: str, of: str) -> bool:
        due = [told for told in self._faults[fault] if told in of][:1]
        for told in due:
            self._faults[fault].remove(told)
        return bool(due)


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Prints the port and serves until stdin is closed."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    threading.Thread(target=_end_with_parent, daemon=True).start()
    app = _Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=False, request_handler=MotoRequestHandler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

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
LOSE = "/-/lose"


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
    httpx.post(f"{s3.endpoint}{LOSE}", content=of).raise_for_status()


class _Losing:
    """moto, of which some answers are lost on the way."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._of: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if path == LOSE:
            self._of.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
            start_response("204 No Content", [])
            return []
        answer = self._app(environ, start_response)
        if environ["REQUEST_METHOD"] == "PUT" and (lost := [of for of in self._of if of in path]):
            self._of.remove(lost[0])
            raise ConnectionError  # werkzeug ends the connection and says nothing
        return answer


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    """Prints the port and serves until stdin is closed."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    threading.Thread(target=_end_with_parent, daemon=True).start()
    app = _Losing(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=False, request_handler=MotoRequestHandler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()

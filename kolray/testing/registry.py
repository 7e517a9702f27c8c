"""A Confluent-compatible schema registry on a free local port, in memory: for tests of writers of several versions."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from kolray.schemas.registry import AvroSchema


class MemoryRegistry:
    """Serves ``url`` within ``with``. Ids count up from 1; a schema known to a subject keeps its id."""

    def __init__(self) -> None:
        self._subjects: dict[str, list[int]] = {}
        self._texts: list[str] = []
        self._modes = {"/config": "BACKWARD"}
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(registry._get(self.path.strip("/").split("/")))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                subject = self.path.strip("/").split("/")[1]
                self._answer({"id": registry.register(subject, json.loads(body["schema"]))})

            def do_PUT(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                registry._modes[self.path] = body["compatibility"]
                self._answer(body)

            def _answer(self, found: object) -> None:
                text = json.dumps(found if found is not None else {"error_code": 40401, "message": "not found"})
                self.send_response(200 if found is not None else 404)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                """Tests are quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def register(self, subject: str, schema: AvroSchema) -> int:
        """Adds a version to a subject, without any check of compatibility (a mode is but kept); returns its id."""
        text = json.dumps(schema)
        if text not in self._texts:
            self._texts.append(text)
        schema_id = self._texts.index(text) + 1
        versions = self._subjects.setdefault(subject, [])
        if schema_id not in versions:
            versions.append(schema_id)
        return schema_id

    def held(self, subject: str) -> int:
        """How many versions a subject has."""
        return len(self._subjects.get(subject, []))

    def _get(self, parts: list[str]) -> object:
        match parts:
            case ["schemas", "ids", number] if 0 < int(number) <= len(self._texts):
                return {"schema": self._texts[int(number) - 1]}
            case ["config", *of] if (path := "/".join(["/config", *of])) in self._modes:
                return {"compatibilityLevel": self._modes[path]}
            case ["subjects", subject, "versions"] if subject in self._subjects:
                return list(range(1, len(self._subjects[subject]) + 1))
            case ["subjects", subject, "versions", number] if subject in self._subjects:
                schema_id = self._subjects[subject][int(number) - 1]
                return {"subject": subject, "version": int(number), "id": schema_id}
            case _:
                return None

    def __enter__(self) -> MemoryRegistry:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

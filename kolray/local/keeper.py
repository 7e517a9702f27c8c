"""Keeps the API and the stream on a Ray cluster: what a head that began anew has forgotten is deployed again.

Ray's head keeps jobs and Serve's applications in memory. After a reboot its nodes are back and healthy, and empty.
All of it goes by the dashboard's HTTP, which is what ``serve deploy`` and ``ray job submit`` use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from kolray.clock import Clock, SystemClock, to_ms
from kolray.errors import InvalidInputError
from kolray.redaction import redacted

JOB = "kolray-stream"
"""Submission id of the stream: two of one name cannot run at once."""
ENDED = frozenset({"STOPPED", "SUCCEEDED", "FAILED"})
FAILED = "DEPLOY_FAILED"
NIGHT_AT = timedelta(minutes=30)
"""After midnight, UTC: the day's last events have come."""
AGAIN_S = 900.0
"""Seconds after which a night that failed goes on."""
_SERVE, _JOBS = "/api/serve/applications/", "/api/jobs/"
_STORES = ("metrics_store", "redis")


@dataclass(frozen=True)
class Kept:
    """What should be there.

    Args:
        serve: the Serve configuration, as the file for ``serve deploy`` has it.
        stream: the command that runs the stream, on the head's node.
        api: where the API answers, e.g. ``http://127.0.0.1:8000``.
        night: the command of the night's work, which gets the day; none: nobody's, or another's.
    """

    serve: Mapping[str, Any]
    stream: str
    api: str
    night: str | None = None

    def __post_init__(self) -> None:
        if not self.applications:
            raise InvalidInputError("the Serve configuration names no applications; take serve_configs/prod.yaml")

    @property
    def applications(self) -> frozenset[str]:
        """Names of Serve's applications."""
        return frozenset(str(application["name"]) for application in self.serve.get("applications", ()))


class Keeper:
    """Looks at a cluster, and mends it.

    Args:
        ray: a client of Ray's dashboard: its address, and the token in ``Authorization`` where it asks for one.
    """

    def __init__(self, ray: httpx.Client, kept: Kept, clock: Clock | None = None) -> None:
        self._ray, self._kept, self._clock = ray, kept, clock or SystemClock()
        self._began = self._clock.now()
        self._applied = False

    def keep(self) -> list[str]:
        """Deploys what is missing; returns what it did, in words.

        What was changed by hand and works stays, but for the first time: then the configuration may be a newer one.

        Raises:
            httpx.HTTPError: Ray does not answer, as while it starts, or refuses.
        """
        return [*self._keep_api(), *self._keep_stream(), *self._keep_night()]

    def _keep_api(self) -> list[str]:
        found = self._told(self._ray.get(_SERVE)).json().get("applications", {})
        missing = sorted(self._kept.applications - set(found))
        failed = sorted(name for name in self._kept.applications & set(found) if found[name]["status"] == FAILED)
        failed = failed if failed and api_trouble(self._kept.api) else []  # of an update the old replicas may answer
        if self._applied and not missing and not failed:
            return []
        if failed:  # the same configuration once more would change nothing: Serve has given up on it
            self._told(self._ray.delete(_SERVE))
        self._told(self._ray.put(_SERVE, json=dict(self._kept.serve)))
        self._applied = True
        why = f"{FAILED}: {', '.join(failed)}" if failed else f"missing: {', '.join(missing) or 'nothing'}"
        return [f"the API was deployed ({why})"]

    def _keep_stream(self) -> list[str]:
        before = self._job(JOB)
        if before["status"] not in ENDED | {"unknown"}:
            return []
        self._submit(JOB, self._kept.stream, before)
        why = f"{before['status']} {_last_words(before.get('message') or '')}".strip()
        return [f"the stream was submitted (before: {why})"]

    def _keep_night(self) -> list[str]:
        """A night that began before this did is left to the next, which makes up for it: a new lake has nothing yet."""
        now = self._clock.now()
        due = now.replace(hour=0, minute=0, second=0, microsecond=0) + NIGHT_AT
        if self._kept.night is None or not self._began < due <= now:
            return []
        day = now.date().isoformat()
        before = self._job(f"kolray-night-{day}")
        rested = to_ms(now) - (before.get("end_time") or 0) >= AGAIN_S * 1000
        if before["status"] != "unknown" and not (before["status"] == "FAILED" and rested):
            return []
        self._submit(f"kolray-night-{day}", f"{self._kept.night} {day}", before)
        return [f"the night of {day} was submitted (before: {before['status']})"]

    def _job(self, name: str) -> dict[str, Any]:
        answer = self._ray.get(f"{_JOBS}{name}")
        found: dict[str, Any] = {"status": "unknown"} if answer.status_code == 404 else self._told(answer).json()
        return found

    def _submit(self, name: str, command: str, before: dict[str, Any]) -> None:
        if before["status"] != "unknown":  # a name is given once
            self._told(self._ray.delete(f"{_JOBS}{name}"))
        self._told(self._ray.post(_JOBS, json={"entrypoint": command, "submission_id": name}))

    @staticmethod
    def _told(answer: httpx.Response) -> httpx.Response:
        if answer.is_error:  # Ray's own words: a refused configuration cannot be mended without them
            raise httpx.HTTPStatusError(
                f"{answer.request.url.path} answered {answer.status_code}: {_last_words(answer.text)}",
                request=answer.request, response=answer,
            )  # fmt: skip
        return answer


def _last_words(text: str) -> str:
    """Of what others said, on one line. Redacted before it is cut: half a password would not be found."""
    return redacted(" ".join(text.split()))[-500:]


def api_trouble(api: str, timeout_s: float = 3.0) -> str | None:
    """Why the API cannot answer; None where it can, or could as soon as there is a model.

    An API that knows no model yet calls itself not ready, rightly, but nothing is broken.
    """
    try:
        answer = httpx.get(f"{api}/readyz", timeout=timeout_s)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        return f"{api}/readyz: {error}"
    away = [name for name in _STORES if told.get(name) != "ok"]
    return f"{api}/readyz: away: {', '.join(away)}" if away else None

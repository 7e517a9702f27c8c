"""One request: sent again where that may help, its refusal as one of kolray's errors."""

from __future__ import annotations

from typing import Any

import httpx
import stamina

from kolray.errors import InvalidInputError, KolrayError, NotFoundError, ServiceUnavailableError

BUSY = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE})
LONGEST_WAIT_S = 60.0


class Asker:
    """Asks one API; everything it is asked may be asked again."""

    def __init__(self, http: httpx.Client, url: str, tries: int) -> None:
        self._http, self._url, self._tries = http, url, tries

    def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A fine answer; see ``Client`` for what it raises."""
        try:
            for attempt in stamina.retry_context(on=again, attempts=self._tries, timeout=None, wait_initial=0.2):
                with attempt:
                    answer = self._http.request(method, path, **request)
                    answer.raise_for_status()
        except httpx.HTTPError as error:
            raise self.told(error) from error
        return answer

    def told(self, error: httpx.HTTPError) -> KolrayError:
        """What went wrong, as an error of kolray's own."""
        if not isinstance(error, httpx.HTTPStatusError):
            advice = f"{error or type(error).__name__}; start it with `kolray serve`, or name another address"
            return ServiceUnavailableError("The API", self._url, advice)
        status, detail = error.response.status_code, _detail(error.response)
        if status == httpx.codes.NOT_FOUND:
            return NotFoundError(detail)
        if status in BUSY or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return ServiceUnavailableError("The API", self._url, f"HTTP {status}: {detail}")
        return InvalidInputError(detail)


def again(error: Exception) -> bool | float:
    """Whether to ask again, or after how many seconds if the API said so."""
    if isinstance(error, httpx.HTTPStatusError):
        told = error.response.headers.get("Retry-After", "")
        if error.response.status_code not in BUSY:
            return False
        return min(float(told), LONGEST_WAIT_S) if told.isdigit() else True
    return isinstance(error, httpx.TransportError)


def _detail(answer: httpx.Response) -> str:
    """Of the problem; its request id finds the reason in the API's log."""
    try:
        problem = answer.json()
        return f"{problem['detail']} (request {problem['request_id']})"
    except (ValueError, KeyError, TypeError):
        return f"{answer.reason_phrase}: {answer.text[:200]}"

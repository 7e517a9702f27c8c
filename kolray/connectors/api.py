"""Asking a platform over HTTP: timeouts, retries with jitter and ``Retry-After``, what answers mean and cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import httpx
import stamina

from kolray.errors import InvalidInputError, QuotaSpentError, ServiceUnavailableError

TIMEOUT_S = 20
ATTEMPTS = 5
PATIENCE_S = 120
"""Seconds after which no further attempt begins."""

Outcome = Literal["ok", "again", "spent", "gone", "token", "refused"]
"""Usable; worth another attempt; nothing more may be asked today; does not exist; the token ended; no."""
Judge = Callable[[int, dict[str, Any]], tuple[Outcome, str]]
"""(outcome, the platform's own reason) of a status and the body of an answer (empty where that is no JSON object)."""
Spend = Callable[[int], None]
"""Called with the units of every attempt before it is made; raises ``QuotaSpentError`` where they are not left."""


class TokenEndedError(InvalidInputError):
    """The access token does not hold (any more)."""


class _TryAgainError(Exception):
    def __init__(self, reason: str, wait_s: float | None, refused: bool) -> None:
        super().__init__(reason)
        self.wait_s, self.refused = wait_s, refused


class PlatformApi:
    """One platform.

    Args:
        name: as messages write it.
        spend: none: nothing is counted.
        transport: replaces the network.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        judge: Judge,
        spend: Spend | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._name, self._base_url, self._judge, self._spend = name, base_url, judge, spend or (lambda _: None)
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_S, transport=transport)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def ask(self, method: str, path: str, *, units: int = 1, **request: Any) -> dict[str, Any] | None:
        """The body of a usable answer; None where what was asked for does not exist.

        Raises:
            InvalidInputError: the platform refuses, or answers nonsense again and again.
            QuotaSpentError: nothing more may be asked until its quota begins anew.
            ServiceUnavailableError: it is away.
            TokenEndedError: the access token does not hold any more.
        """
        try:
            async for attempt in stamina.retry_context(on=_wait, attempts=ATTEMPTS, timeout=PATIENCE_S):
                with attempt:
                    return await self._once(method, path, units, request)
        except _TryAgainError as error:
            if error.refused:
                raise InvalidInputError(f"{self._name} refused {path}: {error}") from None
            raise InvalidInputError(f"{self._name} answered {path} with {error}") from None
        except httpx.InvalidURL as error:  # made of an id or a cursor that it had told
            raise InvalidInputError(f"{self._name} told something that cannot be asked for: {error}") from None
        except httpx.HTTPError as error:  # without its cause, which shows the request
            raise ServiceUnavailableError(self._name, self._base_url, type(error).__name__) from None
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, units: int, request: dict[str, Any]) -> dict[str, Any] | None:
        self._spend(units)
        answer = await self._http.request(method, path, **request)
        body = _object(answer)
        outcome, reason = self._judge(answer.status_code, body or {})
        if outcome == "ok":
            if body is None:
                raise _TryAgainError("something that is not JSON", None, refused=False)
            return body
        if outcome == "again":
            raise _TryAgainError(reason, _retry_after(answer), refused=True)
        if outcome == "spent":
            raise QuotaSpentError(f"{self._name} refused {path}: {reason}; poll again after its quota begins anew")
        if outcome == "token":
            raise TokenEndedError(f"{self._name} refused {path}: {reason}")
        if outcome == "refused":
            raise InvalidInputError(f"{self._name} refused {path}: {reason}")
        return None


def by_status(status: int) -> Outcome:
    """What a status means by itself."""
    if status < 400:
        return "ok"
    if status in (429, 500, 502, 503, 504):
        return "again"
    return "gone" if status in (404, 410) else "refused"


def _object(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def _retry_after(answer: httpx.Response) -> float | None:
    wait = answer.headers.get("Retry-After", "")
    return float(wait) if wait.isdigit() else None


def _wait(error: Exception) -> bool | float:
    """Whether, or after how many seconds, to try again."""
    if isinstance(error, _TryAgainError):
        return True if error.wait_s is None else error.wait_s <= PATIENCE_S and error.wait_s
    return isinstance(error, httpx.TransportError)

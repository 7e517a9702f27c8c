"""Where alerts are sent: endpoints as objects in the folder or bucket of the tokens, and deliveries that failed."""

from __future__ import annotations

import base64
import json
import re
import secrets
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from kolray.clock import Clock, SystemClock
from kolray.errors import InvalidInputError, NotFoundError
from kolray.settings import Settings
from kolray.stream.objects import Objects, open_objects

FOLDER, DEAD = "webhooks", "webhooks-dead"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_BETWEEN = "~"


@dataclass(frozen=True)
class Endpoint:
    """A server that takes the alerts raised since ``created_at``. ``rules``: those it wants; none: all.

    The secret signs, so it is kept as it is, where only the owner of the folder reads; nothing shows or logs it again.
    """

    name: str
    url: str
    rules: tuple[str, ...]
    created_at: str
    secret: str = field(repr=False)

    def wants(self, rule: str) -> bool:
        return not self.rules or rule in self.rules


@dataclass(frozen=True)
class DeadDelivery:
    """An alert an endpoint did not take, and why. What it says is in the metrics store, where an erasure finds it."""

    endpoint: str
    alert_id: str
    at: str
    reason: str
    tries: int
    given_up_at: str


class Endpoints:
    """All of them, and the deliveries they owe."""

    def __init__(self, objects: Objects, clock: Clock | None = None) -> None:
        self._objects, self._clock = objects, clock or SystemClock()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Where ``KOLRAY_SERVING__TOKENS`` says; a folder is made, for its owner alone."""
        place = settings.tokens
        if "://" not in place:
            for folder in (FOLDER, DEAD):
                (Path(place) / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(open_objects(place, settings.s3, "KOLRAY_SERVING__TOKENS"))

    def add(self, name: str, url: str, rules: tuple[str, ...] = ()) -> Endpoint:
        """Makes an endpoint with a new secret.

        Raises:
            InvalidInputError: the name is taken or not plain, or the address is not http or https.
        """
        if not _NAME.fullmatch(name):
            raise InvalidInputError(f"{name!r}: a name has lower-case letters, digits and dashes")
        if not url.startswith(("https://", "http://")):
            raise InvalidInputError(f"{url!r}: an address begins with https:// or http://")
        if self._objects.get(f"{FOLDER}/{name}") is not None:
            raise InvalidInputError(f"a webhook named {name!r} exists; remove it first or choose another name")
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        made = Endpoint(name, url, rules, self._clock.now().isoformat(timespec="milliseconds"), secret)
        self._objects.put(f"{FOLDER}/{name}", json.dumps(asdict(made)).encode())
        return made

    def get(self, name: str) -> Endpoint:
        """One of them.

        Raises:
            NotFoundError: there is none of this name.
        """
        found = self._read(name)
        if found is None:
            raise NotFoundError(f"no webhook is named {name!r}; `kolray webhooks list` shows them")
        return found

    def all(self) -> list[Endpoint]:
        """Every endpoint, by name."""
        found = (self._read(name) for name in self._objects.names(FOLDER) if not name.startswith("."))
        return [endpoint for endpoint in found if endpoint is not None]

    def remove(self, name: str) -> None:
        """Ends an endpoint and forgets what it owes.

        Raises:
            NotFoundError: there is none of this name.
        """
        self.get(name)
        owed = [_dead_object(dead) for dead in self.dead(name)]
        self._objects.delete([f"{FOLDER}/{name}", *owed])

    def bury(self, name: str, alert: dict[str, Any], reason: str, tries: int) -> None:
        """Keeps a delivery that failed; the same alert once."""
        now = self._clock.now().isoformat(timespec="seconds")
        dead = DeadDelivery(name, alert["alert_id"], alert["at"], reason, tries, now)
        self._objects.put(_dead_object(dead), json.dumps(asdict(dead)).encode())

    def dead(self, name: str) -> list[DeadDelivery]:
        """The deliveries that failed, oldest alert first."""
        names = [each for each in self._objects.names(DEAD) if each.startswith(f"{name}{_BETWEEN}")]
        kept = (self._objects.get(f"{DEAD}/{each}") for each in names)
        found = [DeadDelivery(**json.loads(text)) for text in kept if text is not None]
        return sorted(found, key=lambda dead: (dead.at, dead.alert_id))

    def settle(self, dead: DeadDelivery) -> None:
        """A delivery that had failed went through, or its alert is no more."""
        self._objects.delete([_dead_object(dead)])

    def _read(self, name: str) -> Endpoint | None:
        kept = self._objects.get(f"{FOLDER}/{name}") if _NAME.fullmatch(name) else None
        if kept is None:
            return None
        row = json.loads(kept)
        return Endpoint(**row | {"rules": tuple(row["rules"])})


def since(endpoint: Endpoint) -> datetime:
    """When an endpoint began to want alerts."""
    return datetime.fromisoformat(endpoint.created_at)


def _dead_object(dead: DeadDelivery) -> str:
    return f"{DEAD}/{dead.endpoint}{_BETWEEN}{dead.alert_id}"

"""The champions in use: loaded once, swapped when an alias moves, without whoever uses them noticing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from functools import lru_cache

from kolray.clock import Clock, SystemClock
from kolray.errors import NotFoundError
from kolray.models.registry import CHAMPION, LoadedModel, ModelRegistry

log = logging.getLogger(__name__)
NAMES = ("trust", "success")
LOOK_S = 5.0
"""Seconds between looks at the aliases."""
KEPT = 4
"""Versions not in use that are kept, for scores as of a time."""


class Champions:
    """Holds one loaded model a name. Fresh by a thread of its own (``watch``) or by the caller's (``keep_fresh``).

    Args:
        alias: of the registry; whoever it names is in use.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        names: Sequence[str] = NAMES,
        clock: Clock | None = None,
        alias: str = CHAMPION,
    ) -> None:
        self._registry, self._names, self._clock, self._alias = registry, names, clock or SystemClock(), alias
        self._models: dict[str, LoadedModel] = {}
        self._earlier = lru_cache(KEPT)(registry.load_version)
        self._stop = threading.Event()
        self._next_look = 0.0

    def refresh(self) -> list[str]:
        """Loads what moved; returns the labels loaded now."""
        loaded = []
        for name in self._names:
            version = self._registry.alias_version(name, self._alias)
            held = self._models.get(name)
            if version is not None and (held is None or held.version != version):
                self._models[name] = self._registry.load(name, self._alias)
                loaded.append(self._models[name].label)
        return loaded

    def keep_fresh(self, every_s: float = LOOK_S) -> None:
        """``refresh``, at most once in ``every_s``; a registry that is away leaves the models as they are."""
        if self._clock.monotonic() < self._next_look:
            return
        self._next_look = self._clock.monotonic() + every_s
        try:
            for label in self.refresh():
                log.info("%s is in use", label)
        except Exception as error:  # MLflow's and its database's own too
            log.warning("models stay as they are: %s", error)

    def watch(self, every_s: float = LOOK_S) -> None:
        """Keeps refreshing in the background."""

        def loop() -> None:
            while not self._stop.wait(every_s):
                self.keep_fresh(every_s=0)

        threading.Thread(target=loop, name="champions", daemon=True).start()

    def held(self, name: str) -> LoadedModel | None:
        """The model in use, if any is."""
        return self._models.get(name)

    def get(self, name: str) -> LoadedModel:
        """The champion.

        Raises:
            NotFoundError: none was trained yet.
        """
        model = self._models.get(name)
        if model is None:
            raise NotFoundError(f"no {name} model is in use yet: train one with `kolray models train {name}`")
        return model

    def version(self, label: str) -> LoadedModel:
        """A version by its ``name:version``, in use or not; some of the latter are kept.

        Raises:
            NotFoundError: the registry has it no more.
        """
        name, _, number = label.partition(":")
        held = self._models.get(name)
        return held if held is not None and held.label == label else self._earlier(name, int(number))

    def loaded(self) -> dict[str, str]:
        """Name → label of what is in use."""
        return {name: model.label for name, model in self._models.items()}

    def close(self) -> None:
        """Ends the background thread."""
        self._stop.set()

"""The champions in use: loaded once, swapped when an alias moves, without a request noticing."""

from __future__ import annotations

import logging
import threading

from kolray.errors import KolrayError, NotFoundError
from kolray.models.registry import LoadedModel, ModelRegistry

log = logging.getLogger(__name__)
NAMES = ("trust", "success")


class Champions:
    """Holds one loaded model a name. ``refresh`` is called by a thread of its own, see ``watch``."""

    def __init__(self, registry: ModelRegistry) -> None:
        self._registry = registry
        self._models: dict[str, LoadedModel] = {}
        self._stop = threading.Event()

    def refresh(self) -> list[str]:
        """Loads what moved; returns the labels loaded now."""
        loaded = []
        for name in NAMES:
            version = self._registry.alias_version(name)
            held = self._models.get(name)
            if version is not None and (held is None or held.version != version):
                self._models[name] = self._registry.load(name)
                loaded.append(self._models[name].label)
        return loaded

    def watch(self, every_s: float = 5.0) -> None:
        """Keeps refreshing in the background; a registry that is away leaves the models as they are."""

        def loop() -> None:
            while not self._stop.wait(every_s):
                try:
                    for label in self.refresh():
                        log.info("now serving %s", label)
                except KolrayError as error:
                    log.warning("models stay as they are: %s", error)

        threading.Thread(target=loop, name="champions", daemon=True).start()

    def get(self, name: str) -> LoadedModel:
        """The champion.

        Raises:
            NotFoundError: none was trained yet.
        """
        model = self._models.get(name)
        if model is None:
            raise NotFoundError(f"no {name} model is in use yet: train one with `kolray models train {name}`")
        return model

    def loaded(self) -> dict[str, str]:
        """Name → label of what is in use."""
        return {name: model.label for name, model in self._models.items()}

    def close(self) -> None:
        """Ends the background thread."""
        self._stop.set()

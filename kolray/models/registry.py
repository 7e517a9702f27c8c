"""The model registry on MLflow: runs, versions and aliases (never stages).

MLflow is imported at the first call: it takes seconds. Models are stored as files in open formats (``to_files``), so
loading one runs no code from the artefact store.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

from kolray.clock import from_ms
from kolray.errors import NotFoundError
from kolray.models.loaders import load_files
from kolray.models.mlflow_access import identity, reach
from kolray.settings import Settings

EXPERIMENT = "kolray"
REPORT = "report.json"
CHAMPION, CHALLENGER = "champion", "challenger"
REFERENCE_FILE = "reference.json"
TUNED = "tuned_params"
BATCH = 1000
"""Metrics that MLflow takes at once."""
_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}


class StorableModel(Protocol):
    """What the registry keeps: a version hash and files."""

    @property
    def version(self) -> str: ...

    def to_files(self) -> dict[str, bytes]: ...


@dataclass(frozen=True)
class LoadedModel:
    """A model with the registry's name and version of it; ``label`` is what scores carry."""

    model: Any
    name: str
    version: int

    @property
    def label(self) -> str:
        return f"{self.name}:{self.version}"


class ModelRegistry:
    """Models by name and alias.

    Args:
        tracking_uri: an MLflow server (``http…``) or a database (``sqlite:///PATH``).
        artifacts: folder for files of a database-backed store; a server knows its own.
        own: who we are at a server (``mlflow_access.identity``).
    """

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The one that the settings name."""
        return cls(settings.mlflow_uri, settings.mlflow_artifacts, identity(settings.mlflow))

    def __init__(self, tracking_uri: str, artifacts: str, own: Mapping[str, str] | None = None) -> None:
        self._uri, self._artifacts, self._own = tracking_uri, artifacts, dict(own or {})
        self._client: Any = None
        self._experiment: str | None = None

    def __getstate__(self) -> tuple[str, str, dict[str, str]]:
        return self._uri, self._artifacts, self._own

    def __setstate__(self, state: tuple[str, str, dict[str, str]]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def register(
        self,
        name: str,
        model: StorableModel,
        *,
        metrics: Mapping[str, float],
        params: Mapping[str, Any],
        report: Mapping[str, Any],
        figures: Mapping[str, Any] | None = None,
        curves: Mapping[str, Sequence[float]] | None = None,
        tags: Mapping[str, str] | None = None,
        reference: Mapping[str, Any] | None = None,
    ) -> int:
        """Logs a run (metrics, parameters, ``report.json``, matplotlib ``figures`` by file name) and its model.

        ``curves`` are metrics step by step, from step 1 on; ``reference`` is what the night compares it with
        (``AtTraining``).

        Returns:
            the version, which the alias ``challenger`` now names.
        """
        client = self._connected()
        run = client.create_run(self._experiment, run_name=f"{name} {model.version}")
        run_id = run.info.run_id
        _log(client, run_id, metrics, curves or {}, params)
        self.replace_report(run_id, report, figures or {})
        if reference is not None:
            client.log_dict(run_id, dict(reference), REFERENCE_FILE)
        with tempfile.TemporaryDirectory() as folder:
            for file, data in model.to_files().items():
                Path(folder, file).write_bytes(data)
            client.log_artifacts(run_id, folder, "model")
        client.set_terminated(run_id)
        self._named(name)
        all_tags = {"digest": model.version, **(tags or {})}
        made = client.create_model_version(name, f"{run.info.artifact_uri}/model", run_id, tags=all_tags)
        self.set_alias(name, int(made.version), CHALLENGER)
        return int(made.version)

    def reports(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every run's id with its report."""
        token: str | None = None
        while not self._unborn():
            page = self._connected().search_runs([self._experiment], page_token=token)
            for run in page:
                with tempfile.TemporaryDirectory() as folder:
                    if any(file.path == REPORT for file in self._client.list_artifacts(run.info.run_id)):
                        held = self._client.download_artifacts(run.info.run_id, REPORT, folder)
                        yield run.info.run_id, json.loads(Path(held).read_text())
            token = page.token
            if not token:
                return

    def replace_report(self, run_id: str, report: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
        """Another report and other figures in place of a run's."""
        client = self._connected()
        client.log_dict(run_id, dict(report), REPORT)
        for file, figure in figures.items():
            client.log_figure(run_id, figure, f"plots/{file}")

    def attach(self, name: str, version: int, texts: Mapping[str, str]) -> None:
        """Adds text files by name to a version's run, in place of earlier ones."""
        client = self._connected()
        run_id = client.get_model_version(name, str(version)).run_id
        for file, text in texts.items():
            client.log_text(run_id, text, file)

    def report(self, name: str, version: int) -> dict[str, Any]:
        """``report.json`` of a version."""
        client = self._connected()
        with tempfile.TemporaryDirectory() as folder:
            run_id = client.get_model_version(name, str(version)).run_id
            return dict(json.loads(Path(client.download_artifacts(run_id, REPORT, folder)).read_text()))

    def set_alias(self, name: str, version: int, alias: str) -> None:
        """Points the alias at a version; who polls ``alias_version`` sees it at once."""
        self._connected().set_registered_model_alias(name, alias, str(version))

    def alias_version(self, name: str, alias: str = CHAMPION) -> int | None:
        """The version an alias points at, or None. One small query: cheap enough to poll."""
        found = self._aliased(name, alias)
        return None if found is None else int(found.version)

    def trained_at(self, name: str, alias: str = CHALLENGER) -> datetime | None:
        """When the version an alias names was registered, of ``CHALLENGER`` the newest; None before the first."""
        found = self._aliased(name, alias)
        return None if found is None else from_ms(int(found.creation_timestamp))

    def tags(self, name: str, version: int) -> dict[str, str]:
        """What was noted about a version when it was registered."""
        return dict(self._connected().get_model_version(name, str(version)).tags)

    def reference(self, name: str, which: str | int = CHAMPION) -> dict[str, Any] | None:
        """What the night compares a version, or the one an alias names, with; None where nobody kept it."""
        client = self._connected()
        found = self._aliased(name, which) if isinstance(which, str) else client.get_model_version(name, str(which))
        if found is None or REFERENCE_FILE not in {file.path for file in client.list_artifacts(found.run_id)}:
            return None
        with tempfile.TemporaryDirectory() as folder:
            file = client.download_artifacts(found.run_id, REFERENCE_FILE, folder)
            return dict(json.loads(Path(file).read_bytes()))

    def load(self, name: str, alias: str = CHAMPION) -> LoadedModel:
        """The model an alias points at.

        Raises:
            NotFoundError: no version has the alias, or no model has the name.
        """
        found = self._aliased(name, alias)
        if found is None:
            raise NotFoundError(f"no model {name}@{alias} in {self._uri}: train one with `kolray models train {name}`")
        return self._loaded(found, name)

    def load_version(self, name: str, version: int) -> LoadedModel:
        """A version, whatever alias points at it.

        Raises:
            NotFoundError: there is none.
        """
        found = _or_none(self._connected().get_model_version, name, str(version))
        if found is None:
            raise NotFoundError(f"no model {name}:{version} in {self._uri}")
        return self._loaded(found, name)

    def _loaded(self, found: Any, name: str) -> LoadedModel:
        with tempfile.TemporaryDirectory() as folder:
            files = self._connected().download_artifacts(found.run_id, "model", folder)
            return LoadedModel(load_files(name, Path(files)), name, int(found.version))

    def _aliased(self, name: str, alias: str) -> Any:
        return None if self._unborn() else _or_none(self._connected().get_model_version_by_alias, name, alias)

    def _unborn(self) -> bool:
        """A database file that nothing made yet: no reason to import MLflow and make it."""
        return self._uri.startswith("sqlite:///") and not Path(self._uri.removeprefix("sqlite:///")).exists()

    def keep_params(self, name: str, params: Mapping[str, Any]) -> None:
        """Parameters that won a search; every later training of the name begins with them. Empty: the defaults."""
        self.note(name, TUNED, json.dumps(dict(params)))

    def kept_params(self, name: str) -> dict[str, Any]:
        """What ``keep_params`` kept last; empty before the first."""
        return dict(json.loads(self.noted(name, TUNED) or "{}"))

    def note(self, name: str, key: str, text: str) -> None:
        """Notes something about all versions of a name, in place of what was noted under the key."""
        client = self._connected()
        self._named(name)
        client.set_registered_model_tag(name, key, text)

    def noted(self, name: str, key: str) -> str | None:
        """What ``note`` noted last. Cheap enough to poll: half of what a search costs."""
        found = None if self._unborn() else _or_none(self._connected().get_registered_model, name)
        return found.tags.get(key) if found else None

    def tag(self, name: str, version: int, key: str, text: str) -> None:
        """Notes something about a version."""
        self._connected().set_model_version_tag(name, str(version), key, text)

    def versions(self, name: str) -> dict[int, dict[str, str]]:
        """What is noted about each version, oldest first."""
        found = [] if self._unborn() else self._connected().search_model_versions(f"name = '{name}'")
        return {int(each.version): dict(each.tags) for each in sorted(found, key=lambda each: int(each.version))}

    def experiment(self, name: str) -> tuple[Any, str]:
        """MLflow's client, and the id of an experiment, made where it is missing."""
        client = self._connected()
        with self._one_at_a_time():
            return client, self._experiment_id(client, name)

    def find_experiment(self, name: str) -> tuple[Any, str | None]:
        """MLflow's client, and the id of an experiment; None where it is missing, which this leaves so."""
        if self._unborn():
            return None, None
        client = self._connected()
        found = client.get_experiment_by_name(name)
        return client, str(found.experiment_id) if found else None

    def _named(self, name: str) -> None:
        client = self._connected()
        if not client.search_registered_models(f"name = '{name}'"):
            client.create_registered_model(name)

    def _connected(self) -> Any:
        if self._client is None:
            for logger in ("mlflow", "alembic"):
                logging.getLogger(logger).setLevel(logging.WARNING)
            os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # ours stand above its small files
            if self._uri.startswith("http"):
                reach(self._uri, self._own)
            from mlflow.tracking import MlflowClient

            with self._one_at_a_time():
                client = MlflowClient(self._uri, self._uri)
                self._experiment = self._experiment_id(client, EXPERIMENT)
            self._client = client
        return self._client

    def _experiment_id(self, client: Any, name: str) -> str:
        found = client.get_experiment_by_name(name)
        if found:
            return str(found.experiment_id)
        if self._uri.startswith("http"):
            return str(client.create_experiment(name))
        place = Path(self._artifacts).absolute()
        place.mkdir(parents=True, exist_ok=True)
        return str(client.create_experiment(name, artifact_location=place.as_uri()))

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """Two processes that make the same SQLite database at once break it: the second waits."""
        if not self._uri.startswith("sqlite:///"):
            yield
            return
        file = Path(self._uri.removeprefix("sqlite:///")).absolute()
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _log(
    client: Any,
    run_id: str,
    metrics: Mapping[str, float],
    curves: Mapping[str, Sequence[float]],
    params: Mapping[str, Any],
) -> None:
    """In few calls: each is a transaction of its own."""
    from mlflow.entities import Metric, Param

    at = int(time.time() * 1000)
    points = [(key, value, 0) for key, value in metrics.items()]
    points += [(key, value, i) for key, values in curves.items() for i, value in enumerate(values, 1)]
    logged = [Metric(key, value, at, step) for key, value, step in points]
    for first in range(0, len(logged), BATCH):
        client.log_batch(run_id, metrics=logged[first : first + BATCH])
    client.log_batch(run_id, params=[Param(key, str(value)) for key, value in params.items()])


def _or_none(ask: Callable[..., Any], *args: str) -> Any:
    """What MLflow has; None where it has none."""
    from mlflow.exceptions import MlflowException

    try:
        return ask(*args)
    except MlflowException as error:
        if error.error_code in _ABSENT:
            return None
        raise

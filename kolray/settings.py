"""All settings, typed, read once by ``load_settings()`` in a job or a command.

Sources, the first wins: environment (``KOLRAY_KAFKA__BOOTSTRAP``; of a secret also the file that
``KOLRAY_KAFKA__PASSWORD_FILE`` names), ``kolray.toml`` in the working folder, ``<home>/services.toml`` (written by
``kolray up``), the defaults below. Functions receive the part that they need
(``KafkaSettings``), never the whole.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from kolray.errors import SettingsError
from kolray.settings_parts import (
    KafkaSettings,
    LakeSettings,
    MetricsStoreSettings,
    MlflowSettings,
    ModelsSettings,
    ObserveSettings,
    Place,
    RedisSettings,
    RegistrySettings,
    S3Settings,
    ServingSettings,
    StreamSettings,
    TiktokSettings,
    TrackingSettings,
    WeiboSettings,
    YoutubeSettings,
)

__all__ = [
    "KafkaSettings",
    "LakeSettings",
    "MetricsStoreSettings",
    "MlflowSettings",
    "ModelsSettings",
    "ObserveSettings",
    "Place",
    "Profile",
    "RedisSettings",
    "RegistrySettings",
    "S3Settings",
    "ServingSettings",
    "Settings",
    "StreamSettings",
    "TiktokSettings",
    "TrackingSettings",
    "WeiboSettings",
    "YoutubeSettings",
    "load_settings",
]

Profile = Literal["embedded", "local", "cluster"]


class _Environment(EnvSettingsSource):
    """The environment, in which ``<VARIABLE>_FILE`` names a file with a secret, as Docker and Kubernetes mount them."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        held = dict(super()._load_env_vars())
        for variable in _secrets(self.settings_cls):
            file = held.pop(f"{variable}_FILE".lower(), None)
            if file is None:
                continue
            if variable.lower() in held:
                raise SettingsError(f"{variable} and {variable}_FILE are both set: remove one")
            try:
                held[variable.lower()] = Path(file).read_text().strip()
            except OSError as error:
                raise SettingsError(f"{variable}_FILE: {file} cannot be read ({error.strerror})") from error
        return held


def _secrets(settings: type[BaseSettings]) -> Iterator[str]:
    """The variables of all secrets."""
    for part, outer in settings.model_fields.items():
        for name, inner in getattr(outer.annotation, "model_fields", {}).items():
            if SecretStr in get_args(inner.annotation):
                yield f"KOLRAY_{part}__{name}".upper()


class Settings(BaseSettings):
    """Everything. ``home`` is where kolray keeps what it makes on this machine."""

    model_config = SettingsConfigDict(
        env_prefix="KOLRAY_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        nested_model_default_partial_update=True,
    )

    profile: Profile = Field("embedded", description="embedded, local or cluster")
    home: Path = Field(Path(".kolray"), description="folder for data, checkpoints, logs and process ids")
    kafka: KafkaSettings = KafkaSettings()
    registry: RegistrySettings = RegistrySettings()
    stream: StreamSettings = StreamSettings()
    s3: S3Settings = S3Settings()
    metrics: MetricsStoreSettings = MetricsStoreSettings()
    redis: RedisSettings = RedisSettings()
    lake: LakeSettings = LakeSettings()
    mlflow: MlflowSettings = MlflowSettings()
    models: ModelsSettings = ModelsSettings()
    serving: ServingSettings = ServingSettings()
    tracking: TrackingSettings = TrackingSettings()
    observe: ObserveSettings = ObserveSettings()
    youtube: YoutubeSettings = YoutubeSettings()
    tiktok: TiktokSettings = TiktokSettings()
    weibo: WeiboSettings = WeiboSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return _Environment(settings_cls), init_settings

    @property
    def metrics_url(self) -> str:
        return self.metrics.url or f"sqlite:///{self.home / 'metrics.db'}"

    @property
    def lake_root(self) -> Place:
        return Place(self.lake.root or str(self.home / "lake"), self.s3)

    @property
    def checkpoints(self) -> str:
        return self.stream.checkpoints or str(self.home / "checkpoints")

    @property
    def mlflow_uri(self) -> str:
        return self.mlflow.tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> str:
        return self.mlflow.artifacts or str(self.home / "artifacts")

    @property
    def model_runs(self) -> str:
        return self.models.runs or str(self.home / "runs")

    @property
    def metric_targets(self) -> str:
        return self.observe.targets or str(self.home / "metrics" / "targets")

    @property
    def tokens(self) -> str:
        return self.serving.tokens or str(self.home / "access")


def load_settings(**overrides: Any) -> Settings:
    """Read every source once. ``overrides`` stand above the files and below the environment; ``home`` above both.

    Raises:
        SettingsError: a source holds an unknown or malformed setting; the message names each.
    """
    home = Path(overrides.get("home") or os.environ.get("KOLRAY_HOME") or ".kolray").absolute()
    merged: dict[str, Any] = {}
    for file in (home / "services.toml", Path("kolray.toml")):
        merged = _merge(merged, _read(file))
    merged = _merge(merged, overrides | {"home": home})
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        lines = [f"  {'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise SettingsError("These settings cannot be used:\n" + "\n".join(lines)) from error
    return settings.model_copy(update={"home": home})


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text())
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}. Mend or remove it.") from error


def _merge(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    out = dict(low)
    for key, value in high.items():
        both = isinstance(out.get(key), dict) and isinstance(value, dict)
        out[key] = _merge(out[key], value) if both else value
    return out

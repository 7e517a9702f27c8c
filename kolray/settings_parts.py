"""The parts of the settings: what each server, job and platform is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from kolray.redaction import redacted


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Addresses without the passwords that they may carry."""
        for name, value in super().__repr_args__():
            yield name, redacted(value) if isinstance(value, str) else value


class KafkaSettings(_Part):
    """Where Kafka is and how topics are made."""

    bootstrap: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port[,host:port]")
    partitions: int = Field(4, ge=1, description="partitions of each raw topic; both raw topics have the same")
    replication: int = Field(1, ge=1, description="replication factor of topics kolray makes")
    retention_days: float = Field(
        30, gt=0, description="days that topics kolray makes keep records, by their timestamp"
    )
    fetch_bytes: int = Field(8 << 20, ge=65_536, description="bytes a fetch may return for each partition")
    transactions: bool = Field(
        default=True, description="the broker's transactions hold (read_committed); false for the embedded broker"
    )
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL, as the brokers' listener"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    username: str | None = Field(None, description="SASL user")
    password: SecretStr | None = Field(None, description="SASL password")
    ca_file: str | None = Field(None, description="PEM file of the brokers' authorities; none: the system's")
    cert_file: str | None = Field(None, description="PEM file of our certificate, where brokers ask for one")
    key_file: str | None = Field(None, description="PEM file of its key, not encrypted")


class RegistrySettings(_Part):
    """Where Avro schemas are looked up."""

    url: str | None = Field(None, description="Confluent-compatible schema registry; none: the package's own files")


class StreamSettings(_Part):
    """Windows, time and checkpoints of the stream."""

    shards: int = Field(2, ge=1, description="shard actors; partitions are spread over them")
    windows: tuple[str, ...] = Field(
        ("5m", "15m", "15m/5m", "1h"), description="windows to keep: SIZE (tumbling) or SIZE/SLIDE, in m or h"
    )
    disorder_s: float = Field(5, ge=0, description="seconds an event may be older than the newest of its partition")
    allowed_lateness_s: float = Field(300, ge=0, description="seconds behind the watermark a window is still corrected")
    idle_after_s: float = Field(
        30, ge=0, description="seconds of silence at a log end after which time since the last event was written counts"
    )
    far_future_s: float = Field(300, gt=0, description="event time ahead of the Kafka timestamp that is dead-lettered")
    checkpoint_interval_s: float = Field(60, gt=0, description="seconds between checkpoints")
    flush_interval_s: float = Field(1, gt=0, description="seconds between writes of provisional rows")
    hang_after_s: float = Field(
        20, gt=0, description="seconds without a heartbeat of a shard's loop after which it is replaced"
    )
    checkpoints: str | None = Field(
        None, description="checkpoints: a folder or s3://BUCKET/PREFIX; none: <home>/checkpoints"
    )
    scores: bool = Field(
        default=True, description="score KOLs with the trust champion when their windows close, beside the stream"
    )
    patterns_file: str | None = Field(
        None, description="TOML file of the patterns that alert, read again when it changes; none: those kolray ships"
    )


class S3Settings(_Part):
    """The S3-compatible store of lake and checkpoints; what is none is taken from the usual ``AWS_*`` variables."""

    endpoint: str | None = Field(None, description="http(s)://HOST:PORT of an S3-compatible store; none: AWS")
    region: str | None = Field(None, description="region of the bucket")
    access_key_id: SecretStr | None = Field(None, description="access key")
    secret_access_key: SecretStr | None = Field(None, description="secret key")
    session_token: SecretStr | None = Field(None, description="token of temporary keys")


@dataclass(frozen=True)
class Place:
    """A folder: on this machine, or ``s3://BUCKET/PREFIX`` of a store that is reached as ``s3`` says.

    On a disk it is path-like.
    """

    url: str
    s3: S3Settings = field(default_factory=S3Settings)

    @property
    def remote(self) -> bool:
        return "://" in self.url

    def join(self, *names: str) -> Place:
        """What lies below it."""
        return Place("/".join([self.url.rstrip("/"), *names]), self.s3)

    def __fspath__(self) -> str:
        if self.remote:
            raise TypeError(f"{self.url} is not on a disk")
        return self.url

    def __str__(self) -> str:
        return self.url


class MetricsStoreSettings(_Part):
    """Window metrics, scores and alerts."""

    url: str | None = Field(
        None, description="sqlite:///PATH or cassandra://HOST:PORT/KEYSPACE; none: sqlite in <home>/metrics.db"
    )
    cassandra_replication: int = Field(1, ge=1, description="replication factor of the keyspace kolray init makes")
    username: str | None = Field(None, description="Cassandra user")
    password: SecretStr | None = Field(None, description="Cassandra password")
    tls: bool = Field(default=False, description="speak TLS to Cassandra; names in its certificates are checked")
    ca_file: str | None = Field(None, description="PEM file of Cassandra's authorities; none: the system's")
    cert_file: str | None = Field(None, description="PEM file of our certificate, where Cassandra asks for one")
    key_file: str | None = Field(None, description="PEM file of its key, not encrypted")


class RedisSettings(_Part):
    """Features, rankings, the response cache and rate limits."""

    url: str = Field("redis://127.0.0.1:6379/0", description="redis://[:password@]host:port/db or rediss://")
    username: str | None = Field(None, description="Redis user, where the URL names none")
    password: SecretStr | None = Field(None, description="Redis password, where the URL has none")
    ca_file: str | None = Field(None, description="PEM file of a rediss:// server's authorities; none: the system's")
    cert_file: str | None = Field(None, description="PEM file of our certificate, where Redis asks for one")
    key_file: str | None = Field(None, description="PEM file of its key, not encrypted")
    feature_ttl_s: int = Field(86_400, ge=1, description="seconds until features expire")


class LakeSettings(_Part):
    """The Delta lake."""

    root: str | None = Field(None, description="the Delta tables: a folder or s3://BUCKET/PREFIX; none: <home>/lake")
    follow_s: float = Field(
        10, ge=0.1, description="seconds between micro-batches of `kolray lake bronze --follow`: how old bronze may be"
    )
    followers: int = Field(1, ge=1, description="processes that share the partitions in `--follow`")
    file_mb: int = Field(128, ge=1, description="size that maintenance gives to data files, in MB")
    vacuum_hours: int = Field(
        168,
        ge=0,
        description="hours that maintenance keeps replaced and never committed files: the longest read or write",
    )
    log_days: int = Field(30, ge=1, description="days that Delta keeps log entries that a checkpoint covers")
    bronze_days: int | None = Field(None, ge=1, description="ingest days kept in bronze; none: all")
    silver_days: int | None = Field(None, ge=1, description="event days kept in silver; none: all")
    gold_days: int | None = Field(None, ge=1, description="event days kept in gold; none: all")
    forecast_days: int = Field(35, ge=1, description="days whose forecasts by the hour are kept in gold")


class MlflowSettings(_Part):
    """Experiments and the model registry."""

    tracking_uri: str | None = Field(None, description="MLflow server or sqlite:///PATH; none: <home>/mlflow.db")
    artifacts: str | None = Field(
        None, description="artifact folder of a database-backed store; none: <home>/artifacts"
    )
    username: str | None = Field(None, description="user at an MLflow server that asks for one")
    password: SecretStr | None = Field(None, description="its password")
    token: SecretStr | None = Field(
        None, description="bearer token at an MLflow server behind a proxy that asks for one"
    )


class ModelsSettings(_Part):
    """Where models are trained, and when again."""

    runs: str | None = Field(
        None,
        description="Ray Tune's and Train's runs: a folder that all nodes see or s3://BUCKET/PREFIX; none: <home>/runs",
    )
    train_from_rows: int = Field(
        1_000_000, ge=1, description="labelled accounts from which Ray Train fits the trust booster on several workers"
    )
    prophet_series: int = Field(
        0, ge=0, description="series of the largest volume, of each metric, that Prophet may earn a weight for; 0: none"
    )
    train_workers: int = Field(2, ge=1, description="workers of such a fit, one CPU each")
    retrain_after_days: float = Field(
        7, ge=0, description="age of a model's last training after which nightly retrains"
    )
    drift_psi: float = Field(
        0.25,
        gt=0,
        description="population stability index of a feature since a model's training beyond which nightly retrains",
    )
    auc_drop: float = Field(
        0.03,
        gt=0,
        description="fall of the estimated AUC since training beyond which the night raises an alert",
    )


class ServingSettings(_Part):
    """The HTTP API and the dashboard."""

    host: str = Field("127.0.0.1", description="address Serve listens on; anything beyond loopback is your decision")
    port: int = Field(8000, ge=0, le=65_535, description="HTTP port; 0 chooses a free one")
    tokens: str | None = Field(
        None,
        description="hashed API tokens: a folder that all replicas see or s3://BUCKET/PREFIX; none: <home>/access",
    )
    time_zone: ZoneInfo = Field(ZoneInfo("UTC"), description="of the times on the dashboard, such as Asia/Ho_Chi_Minh")
    session_secret: SecretStr | None = Field(None, description="signs dashboard sessions; none: kept in <home>")
    rate_per_minute: int = Field(100, ge=1, description="requests a minute for each token")
    cache_s: int = Field(300, ge=0, description="seconds an answer may be cached; 0: no cache")
    haproxy: bool = Field(
        default=False,
        description="`kolray serve` with Ray's HAProxy and throughput mode: several times faster; it opens ports 9101, "
        "8404 and some from 30000 on, on all interfaces",
    )
    canary_percent: float = Field(
        0,
        ge=0,
        le=100,
        description="share of the KOLs whose trust the @challenger scores, chosen by a hash of their ids",
    )
    shadow: bool = Field(
        default=False, description="the @challenger scores along behind the answers; /metrics has the differences"
    )
    ongoing: int = Field(64, ge=1, description="requests a replica answers at a time; beyond, 503 with Retry-After")
    timeout_s: float = Field(30, gt=0, description="seconds until an answer begins; beyond, 408")
    body_mb: int = Field(16, ge=1, description="MB a request's body may have; beyond, 413")
    webhook_tries: int = Field(8, ge=1, description="times an alert is sent to a webhook before it is kept as dead")
    webhook_timeout_s: float = Field(10, gt=0, description="seconds a webhook may take to answer")
    webhooks_private: bool = Field(
        default=False, description="webhooks may be at loopback and private addresses; false: public ones only"
    )
    cors_origins: tuple[str, ...] = Field(
        (),
        description="origins whose pages may call the API from a browser, such as https://app.example; none: nobody's",
    )
    redis_timeout_s: float = Field(0.2, gt=0, description="seconds Redis may take to answer the API")
    store_timeout_s: float = Field(0.5, gt=0, description="seconds a lookup of features may take in the metrics store")
    lake_timeout_s: float = Field(3.0, gt=0, description="seconds a lookup of features may take in Trino or the lake")
    trino: str | None = Field(
        None, description="HOST:PORT of a Trino with the lake's tables, asked for features before the lake's own files"
    )


class TrackingSettings(_Part):
    """The pixel, the collector and the links of tracked pages."""

    secret: SecretStr | None = Field(None, description="salts visitors and signs links; none: kept in <home>")
    buffer_mb: int = Field(1024, ge=1, description="MB of hits a replica keeps on disk while Kafka is away")
    proxies: int = Field(0, ge=0, description="proxies before the server whose X-Forwarded-For is believed")


class ObserveSettings(_Part):
    """Metrics, logs and traces."""

    host: str = Field("127.0.0.1", description="address metrics are served on; beyond loopback is your decision")
    port: int = Field(9470, ge=0, le=65_535, description="port of `kolray observe export`; 0 chooses a free one")
    exporter: bool = Field(default=True, description="`kolray up` starts the exporter; false: it does not")
    targets: str | None = Field(
        None,
        description="folder where serving replicas say where their metrics are, seen by all nodes and by Prometheus; "
        "none: <home>/metrics/targets",
    )
    runbooks: str = Field(
        "http://127.0.0.1:8001/runbooks/{alert}/",
        pattern=r"^https?://[^\s/]+/\S*\{alert\}\S*$",
        description="address of an alert's page, {alert} for its name: of the site that `make docs` builds, or of the "
        "repository, wherever you serve it",
    )
    json_logs: bool = Field(default=True, description="logs of jobs and replicas as JSON lines; false: plain text")
    access_log: bool = Field(
        default=False, description="a line in the log for each request: method, route, status, milliseconds and the ids"
    )
    traces: str | None = Field(
        None,
        description="http(s)://HOST:PORT/v1/traces of an OpenTelemetry collector (needs the extra kolray[traces]); "
        "none: no traces",
    )
    trace_share: float = Field(1.0, ge=0, le=1, description="share of the requests traced that say nothing themselves")


class YoutubeSettings(_Part):
    """The YouTube Data API connector."""

    api_key: SecretStr | None = Field(None, description="YouTube Data API v3 key")
    base_url: str = Field("https://www.googleapis.com/youtube/v3", description="API root")
    units: int = Field(10_000, ge=0, description="units of quota a day, Pacific time")


class TiktokSettings(_Part):
    """The TikTok Research API connector."""

    client_key: SecretStr | None = Field(None, description="client key of a TikTok Research API project")
    client_secret: SecretStr | None = Field(None, description="client secret of that project")
    base_url: str = Field("https://open.tiktokapis.com", description="API root")
    units: int = Field(1000, ge=0, description="requests a day, UTC")
    days: int = Field(30, ge=1, description="age in days of the oldest videos whose counts are followed")


class WeiboSettings(_Part):
    """The Weibo open API connector."""

    access_token: SecretStr | None = Field(None, description="Weibo OAuth 2.0 access token")
    base_url: str = Field("https://api.weibo.com/2", description="API root")
    units: int = Field(150, ge=0, description="requests an hour that the application's level grants")

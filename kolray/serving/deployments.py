"""Ray shell of serving: one replica holds lookup and models, since every further hop costs a millisecond. [ray]"""

from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from ray import serve
from ray.serve.config import BackpressureConfig

from kolray.errors import ServiceUnavailableError
from kolray.local.cluster import join_ray, replica_on_loopback
from kolray.observability.endpoint import Endpoint, announce
from kolray.observability.logs import set_up_logs
from kolray.serving.build import at_close, build_server
from kolray.serving.collected import replica_text
from kolray.serving.limits import RETRY_S
from kolray.settings import Settings, load_settings

APP_NAME = "kolray"
DRAIN_S = 20
"""Seconds a replica that goes has for the requests it is answering; it gets no new ones."""


def _asgi() -> FastAPI:
    """Runs in the replica: settings are read there, once. It is sent requests when the champions are loaded."""
    replica_on_loopback()
    settings = load_settings()
    set_up_logs(as_json=settings.observe.json_logs)
    made = build_server(settings)
    text = partial(replica_text, made.state.services.graph, made.state.metrics.registry)
    announced = announce(Path(settings.metric_targets), "serving", Endpoint(text, settings.observe.host).address)
    at_close(made, announced.leave)
    return made


@serve.deployment(
    num_replicas=1,
    # The application refuses by itself what it cannot answer soon (``KOLRAY_SERVING__ONGOING``); streams of events,
    # which cost nothing, may go beyond.
    max_ongoing_requests=1000,
    max_queued_requests=256,
    backpressure_config=BackpressureConfig(retry_after_s=RETRY_S),
    graceful_shutdown_timeout_s=DRAIN_S,
    graceful_shutdown_wait_loop_s=1,
    health_check_period_s=5,
    health_check_timeout_s=15,
    ray_actor_options={"num_cpus": 1},
    # A line for each request costs a twentieth of a pixel's time; the application logs what failed, with its id.
    logging_config={"enable_access_log": False},
)
@serve.ingress(_asgi)
class Api:
    """The HTTP API and the dashboard."""

    def reconfigure(self, user_config: dict[str, Any]) -> None:
        """``canary_percent`` and ``shadow`` of ``user_config``: taken over in place, without a restart."""
        canary = self.app.state.canary  # type: ignore[attr-defined]
        percent, shadow = user_config.get("canary_percent", canary.percent), user_config.get("shadow", canary.shadow)
        canary.steer(float(percent), shadow=bool(shadow))


def app(args: dict[str, Any]) -> serve.Application:
    """What ``serve_configs/*.yaml`` import: ``kolray.serving.deployments:app``."""
    del args  # settings come from the environment and the home folder, as for every other job
    return Api.bind()  # type: ignore[attr-defined]


def run_serving(settings: Settings, replicas: int = 1) -> str:
    """Deploys on the Ray that is there and returns the URL once it is ready.

    Raises:
        ServiceUnavailableError: the deployment did not become healthy.
    """
    join_ray()
    serve.start(http_options={"host": settings.serving.host, "port": settings.serving.port})
    env = {"env_vars": {"KOLRAY_HOME": str(settings.home)}}
    options = {"num_cpus": 1, "runtime_env": env}
    deployment = Api.options(ray_actor_options=options, num_replicas=replicas)  # type: ignore[attr-defined]
    try:
        serve.run(deployment.bind(), name=APP_NAME, route_prefix="/")
    except RuntimeError as error:
        address = f"{settings.serving.host}:{settings.serving.port}"
        raise ServiceUnavailableError("Ray Serve", address, f"the deployment failed: {error}") from error
    return f"http://{settings.serving.host}:{settings.serving.port}"


def stop_serving() -> None:
    """Ends Serve on this Ray."""
    serve.shutdown()

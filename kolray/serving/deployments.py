"""Ray shell of serving: one replica holds lookup and models, since every further hop costs a millisecond. [ray]"""

from typing import Any

from fastapi import FastAPI
from ray import serve

from kolray.errors import ServiceUnavailableError
from kolray.local.cluster import join_ray
from kolray.serving.build import build
from kolray.settings import Settings, load_settings

APP_NAME = "kolray"


def _asgi() -> FastAPI:
    """Runs in the replica: settings are read there, once."""
    return build(load_settings())


@serve.deployment(num_replicas=1, max_ongoing_requests=64, max_queued_requests=256, ray_actor_options={"num_cpus": 1})
@serve.ingress(_asgi)
class Api:
    """The HTTP API and the dashboard."""


def app(args: dict[str, Any]) -> serve.Application:
    """What ``serve_configs/*.yaml`` import: ``kolray.serving.deployments:app``."""
    del args  # settings come from the environment and the home folder, as for every other job
    return Api.bind()  # type: ignore[attr-defined]


def run_serving(settings: Settings) -> str:
    """Deploys on the Ray that is there and returns the URL once it is ready.

    Raises:
        ServiceUnavailableError: the deployment did not become healthy.
    """
    join_ray()
    serve.start(http_options={"host": settings.serving.host, "port": settings.serving.port})
    env = {"env_vars": {"KOLRAY_HOME": str(settings.home)}}
    deployment = Api.options(ray_actor_options={"num_cpus": 1, "runtime_env": env})  # type: ignore[attr-defined]
    try:
        serve.run(deployment.bind(), name=APP_NAME, route_prefix="/")
    except RuntimeError as error:
        address = f"{settings.serving.host}:{settings.serving.port}"
        raise ServiceUnavailableError("Ray Serve", address, f"the deployment failed: {error}") from error
    return f"http://{settings.serving.host}:{settings.serving.port}"


def stop_serving() -> None:
    """Ends Serve on this Ray."""
    serve.shutdown()

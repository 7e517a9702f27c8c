"""Replicas of a real Ray Serve that end on purpose take their announcements back: no alert takes them for dead."""

from functools import partial
from pathlib import Path

import pytest
from fastapi import FastAPI
from ray import serve

from kolray.local.ports import choose_port
from kolray.observability.endpoint import announce
from kolray.serving.build import at_close
from tests.ray_head import own_ray

pytestmark = pytest.mark.heavy


def _asgi(folder: Path) -> FastAPI:
    app = FastAPI()
    at_close(app, announce(folder, "serving", "127.0.0.1:1").leave)
    return app


class Api:
    """Answers nothing."""


def test_who_ends_on_purpose_is_no_longer_announced(tmp_path: Path) -> None:
    with own_ray():
        serve.start(http_options={"host": "127.0.0.1", "port": choose_port("serving")})
        ingress = serve.ingress(partial(_asgi, tmp_path))(Api)
        deployment = serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 0.1})(ingress)
        serve.run(deployment.bind(), name="announced", route_prefix="/")
        assert len(list(tmp_path.glob("serving-*.json"))) == 2
        serve.shutdown()
        assert list(tmp_path.glob("serving-*.json")) == []

"""Joins the Ray that a job was submitted to, or starts a quiet one of its own. [ray]"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import ray
from ray._private import ray_constants

from kolray.local.ports import LOOPBACK, accepts

TASK_ENV = {
    "POLARS_MAX_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:100,muzzy_decay_ms:0",
}
"""A task has one CPU: as many threads as the machine has CPUs in each of as many tasks cost a tenth more CPU time and
memory. The system's allocator gives back what a task took; Arrow's own keeps it. Polars' (jemalloc) is told to give it
back after 0.1 s: 80 MiB less in two tasks of the lake for a twentieth more CPU time; at once would cost a half more."""

SERVE_ENV = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "kolray.serving.proxy:middleware"}
"""Ray Serve's proxies read it when they start."""

HAPROXY_ENV = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    # Ray has no variable for an option: it stands on a line of its own in the configuration made of this.
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response\n    option http-buffer-request",
    "RAY_SERVE_HAPROXY_NBTHREAD": str(min(4, max(1, (os.cpu_count() or 1) // 2))),
}
"""Ray Serve with HAProxy in front and requests handled on the replica's own loop. A request whose replica died before
it answered is sent again: all of the API's may be. For this HAProxy must have it whole before it sends any of it, which
`http-buffer-request` says: clients send a body after its headers. HAProxy leaves half of the CPUs to the replicas: its
usual four threads on two of them only take turns."""


def join_ray(num_cpus: int = 2) -> None:
    """Does nothing where Ray runs already in this process.

    Args:
        num_cpus: logical CPUs of a Ray of its own; a cluster named by ``RAY_ADDRESS`` (every submitted job has it)
            knows its own.
    """
    if ray.is_initialized():
        return
    if os.environ.get("RAY_ADDRESS"):
        with on_loopback() if _loopback_alone(os.environ["RAY_ADDRESS"]) else nullcontext():
            ray.init(log_to_driver=False, logging_level="error")
    else:
        with _inherited(TASK_ENV | SERVE_ENV), on_loopback():
            ray.init(
                address="local", num_cpus=num_cpus, include_dashboard=False, log_to_driver=False, logging_level="error"
            )


def _loopback_alone(address: str) -> bool:
    """Whether a Ray is reached on loopback only, as one of ours: Ray would ask at the machine's address instead."""
    host, _, port = address.rpartition(":")
    if host not in (LOOPBACK, "localhost") or not port.isdigit():
        return False
    return not accepts(int(port), ray.util.get_node_ip_address())


@contextmanager
def on_loopback() -> Iterator[None]:
    """A Ray that is started in this listens on loopback alone.

    On Linux Ray binds every port to all interfaces, and puts the machine's address in the place of a loopback address
    that it is given. The switch by which it stays on loopback elsewhere, so that no firewall asks, is read here too.
    """
    held = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = held


def replica_on_loopback() -> None:
    """In a replica of Ray Serve, before it opens its port to other deployments: on loopback, where its node is.

    Ray binds it to all interfaces, and who reaches it may have the replica unpickle anything, which is to run code.
    """
    from ray.serve._private import replica  # here: only replicas have it loaded

    if ray.util.get_node_ip_address() != LOOPBACK:
        return
    bind = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, address: bind(server, address.replace("[::]", LOOPBACK))


@contextmanager
def _inherited(env: dict[str, str]) -> Iterator[None]:
    """What Ray starts in this inherits ``env``, as far as the user's environment says nothing else."""
    ours = {name: value for name, value in env.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]  # this process has all threads


def where() -> str:
    """What ``RAY_ADDRESS`` must be for another process to join the Ray of this one."""
    return str(ray.get_runtime_context().gcs_address)

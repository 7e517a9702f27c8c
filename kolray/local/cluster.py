"""Joins the Ray that a job was submitted to, or starts a quiet one of its own. [ray]"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import ray

THREADS = "POLARS_MAX_THREADS"


def join_ray(num_cpus: int = 2) -> None:
    """Does nothing where Ray runs already in this process.

    Args:
        num_cpus: logical CPUs of a Ray of its own; a cluster named by ``RAY_ADDRESS`` (every submitted job has it)
            knows its own.
    """
    if ray.is_initialized():
        return
    if os.environ.get("RAY_ADDRESS"):
        ray.init(log_to_driver=False, logging_level="error")
    else:
        with _one_thread_a_task():
            ray.init(
                address="local", num_cpus=num_cpus, include_dashboard=False, log_to_driver=False, logging_level="error"
            )


@contextmanager
def _one_thread_a_task() -> Iterator[None]:
    """What Ray starts in this inherits a Polars of one thread: a task has one CPU, and as many threads as the machine
    has CPUs in each of as many tasks cost a tenth more CPU time and memory.
    """
    if THREADS in os.environ:
        yield
        return
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[THREADS]  # ours has its threads


def where() -> str:
    """What ``RAY_ADDRESS`` must be for another process to join the Ray of this one."""
    return str(ray.get_runtime_context().gcs_address)

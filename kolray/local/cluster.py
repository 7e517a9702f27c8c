"""Joins the Ray that a job was submitted to, or starts a quiet one of its own. [ray]"""

import os

import ray


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
        ray.init(
            address="local", num_cpus=num_cpus, include_dashboard=False, log_to_driver=False, logging_level="error"
        )


def where() -> str:
    """What ``RAY_ADDRESS`` must be for another process to join the Ray of this one."""
    return str(ray.get_runtime_context().gcs_address)

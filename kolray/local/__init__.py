"""Starts and stops the servers of the ``embedded`` and ``local`` profiles, on loopback, under one home folder."""

from kolray.local.profiles import ServiceStatus, down, start_again, status, up

__all__ = ["ServiceStatus", "down", "start_again", "status", "up"]

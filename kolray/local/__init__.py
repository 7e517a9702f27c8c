"""Starts and stops the servers of the ``embedded`` and ``local`` profiles, on loopback, under one home folder."""

from kolray.local.exporter import exporter_address, start_exporter
from kolray.local.profiles import ServiceStatus, down, start_again, status, up

__all__ = ["ServiceStatus", "down", "exporter_address", "start_again", "start_exporter", "status", "up"]

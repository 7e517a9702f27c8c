"""The ``kolray`` command: thin; every group of commands is a file of its own."""

from kolray.cli.main import main

__all__ = ["main"]

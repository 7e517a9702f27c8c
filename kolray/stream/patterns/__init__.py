"""Patterns on closed windows (CEP), declared as data.

``declare.py`` says what a pattern is, ``default.toml`` holds those kolray ships, ``reading.py`` reads a file of your
own, ``machine.py`` runs them, ``watching.py`` notices that the file has changed. See ``docs/patterns.md``.
"""

from kolray.stream.patterns.declare import Pattern as Rule
from kolray.stream.patterns.declare import Step
from kolray.stream.patterns.machine import Patterns
from kolray.stream.patterns.reading import RULES

__all__ = ["RULES", "Patterns", "Rule", "Step"]

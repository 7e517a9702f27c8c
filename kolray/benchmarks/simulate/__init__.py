"""Deterministic simulation of the stream: its real code over a broker, stores and a clock in memory, under faults.

``scenario.py`` and ``oracle.py`` make tiny worlds and what must come of them, ``world.py`` is the seeded scheduler,
``broker.py`` and ``disk.py`` what survives a crash, ``invariants.py`` what must hold in the end, ``run.py`` many
schedules. ``docs/stream.md`` says what is struck and how to replay a seed.
"""

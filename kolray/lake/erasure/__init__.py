"""Erasure of a KOL: ``trace.py`` knows what is theirs, ``rows.py`` takes it out of the tables, ``purge.py`` out of
their past, ``snapshots.py`` out of the stream's checkpoints, ``scan.py`` looks whether anything is left.

``kolray.models.forget`` puts the steps in their order.
"""

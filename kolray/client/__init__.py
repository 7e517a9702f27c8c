"""A typed client of the HTTP API.

>>> from kolray.client import Client
>>> client = Client("http://127.0.0.1:8000", token="kolray_…")  # doctest: +SKIP
>>> client.score("kol_000042").trust_score  # doctest: +SKIP
87.31
"""

from kolray.client.client import Client

__all__ = ["Client"]

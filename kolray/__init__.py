"""kolray: real-time trust and success of KOLs (key opinion leaders), as one Ray application."""

__version__ = "0.1.0"

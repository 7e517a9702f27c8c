"""Alerts to other people's servers: signed, tried again, and kept when nobody took them."""

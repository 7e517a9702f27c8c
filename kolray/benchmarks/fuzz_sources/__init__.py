"""Hostile payloads to whatever reads what strangers send: tracked pages, files, and answers of platforms."""

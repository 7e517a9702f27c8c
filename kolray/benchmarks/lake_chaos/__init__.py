"""Kills of the lake's jobs at any point of any layer, and what the lake holds afterwards."""

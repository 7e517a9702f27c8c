"""The commands that the pages tell to type: found, classed in ``commands.toml``, and typed."""

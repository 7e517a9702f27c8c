"""``kolray bench chaos``: kills and hangs parts of a running stream, then proves that nothing was lost or doubled."""

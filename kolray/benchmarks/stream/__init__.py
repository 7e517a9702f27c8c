"""``kolray bench stream``: the engine on real servers, beside what others reach on the same work."""

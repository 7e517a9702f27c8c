"""``make demo``: one event's whole life on the embedded profile, with what happened counted at the end."""

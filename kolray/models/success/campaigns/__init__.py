"""Campaigns: what one has brought, what it will bring, and how much of that is lift over the KOL's own baseline."""

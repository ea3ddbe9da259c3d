"""Discord's REST API: one client, typed errors, ids and nonces."""

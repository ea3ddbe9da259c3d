"""The gateway: what bots are told, over which connection, and what they missed."""

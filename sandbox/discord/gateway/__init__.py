"""The gateway: events for bots, their connections, and the replay of missed events."""

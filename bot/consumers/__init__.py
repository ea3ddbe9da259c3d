"""Consumers that handle events. They do not look for other work."""

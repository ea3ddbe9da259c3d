"""How long a test waits for what must come."""

PATIENCE = 60.0
"""Seconds. Many, since only a failure waits them out; a test of how fast something is has a time of its own."""

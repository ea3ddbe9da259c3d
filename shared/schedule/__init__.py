"""The schedule: which rows a game needs, and how rows are settled or retried."""

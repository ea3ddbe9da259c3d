"""When things are due, what is open, and how a row is settled or tried again."""

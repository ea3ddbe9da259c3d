"""From an event to its outcome. No module looks for work: each does what a message names."""

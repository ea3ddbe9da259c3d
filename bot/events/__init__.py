"""From an event to its outcome, one module an event. None of them looks for work: each does what a message names."""

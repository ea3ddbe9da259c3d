"""`questbell trace`."""

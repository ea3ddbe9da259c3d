"""`questbell check`."""

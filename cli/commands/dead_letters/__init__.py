"""`questbell dead-letters`."""

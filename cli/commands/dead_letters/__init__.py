"""`questbell dead-letters`: show messages that could not be processed, and handle parked ones."""

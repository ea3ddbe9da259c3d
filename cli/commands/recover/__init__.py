"""`questbell recover`."""

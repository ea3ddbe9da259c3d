"""`questbell check`: check the configuration and suggest fixes."""

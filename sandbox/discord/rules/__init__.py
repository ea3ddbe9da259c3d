"""Discord's rules: limits and errors, each with its source."""

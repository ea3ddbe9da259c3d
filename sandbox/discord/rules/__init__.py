"""Discord's rules: limits and refusals, each with its source."""

"""A game's rows: writing, settling and retrying them."""

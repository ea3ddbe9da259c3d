"""`questbell trace`: show the history of a game or of one of its rows."""

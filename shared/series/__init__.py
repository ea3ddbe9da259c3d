"""Series: a rule that repeats a game, and the occurrences that it makes."""

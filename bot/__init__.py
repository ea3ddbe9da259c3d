"""The Discord bot: tells what is due (events, delivery) and answers people (features)."""

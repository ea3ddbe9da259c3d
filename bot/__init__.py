"""The Discord bot. It delivers what is due and answers users."""

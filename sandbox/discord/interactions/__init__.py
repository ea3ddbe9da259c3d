"""Commands, buttons and modals: from a user's action to the bot's answer."""

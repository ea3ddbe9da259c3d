"""Commands, buttons and modals: from a person's deed to the bot's answer."""

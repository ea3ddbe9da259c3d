"""The features that users see on Discord. Each package adds itself to the bot with `setup`."""

"""What people can do on Discord: one package a feature, each added to the bot by its `setup`."""

"""The processes that are measured, each alone: the dispatcher, the bot, and the bare client library."""

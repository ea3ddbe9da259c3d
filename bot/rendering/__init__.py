"""Games as Discord messages: pure functions from models to the JSON that the REST API takes.

discord.py is not used here: its objects would tie delivery to its HTTP client, and a dictionary is easy to test.
"""

from bot.rendering.embeds import announcement_message, game_embed, game_list_embed
from bot.rendering.payload import Payload, disabled_button, leave_button, signup_buttons
from bot.rendering.reminder_messages import cancellation_message, reminder_message, split_into_chunks

__all__ = [
    "Payload",
    "announcement_message",
    "cancellation_message",
    "disabled_button",
    "game_embed",
    "game_list_embed",
    "leave_button",
    "reminder_message",
    "signup_buttons",
    "split_into_chunks",
]

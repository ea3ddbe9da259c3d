"""Games as Discord messages: pure functions from models to the JSON that the REST API takes.

discord.py is not used here: its objects would tie delivery to its HTTP client, and a dictionary is easy to test.
"""

from bot.rendering.embeds import announcement, game_embed, game_list_embed
from bot.rendering.payload import Payload, disabled_button, leave_button, signup_buttons
from bot.rendering.reminder_messages import cancellation, chunks, reminder

__all__ = [
    "Payload",
    "announcement",
    "cancellation",
    "chunks",
    "disabled_button",
    "game_embed",
    "game_list_embed",
    "leave_button",
    "reminder",
    "signup_buttons",
]

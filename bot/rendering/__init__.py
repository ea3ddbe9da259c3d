"""Renders games as the JSON that Discord's REST API takes.

discord.py's objects were rejected because they would tie delivery to its HTTP client.
"""

from bot.rendering.embeds import GamePeople, Responder, announcement_message, game_embed, game_list_embed
from bot.rendering.own_games import own_games_embed
from bot.rendering.payload import (
    Payload,
    add_snooze_buttons,
    confirm_buttons,
    disabled_button,
    join_button,
    leave_button,
    minimum_buttons,
    nudge_buttons,
    offer_buttons,
    signup_buttons,
)
from bot.rendering.reminder_messages import (
    cancellation_message,
    change_message,
    drop_out_message,
    minimum_message,
    nudge_message,
    offer_end_message,
    personal_reminder_message,
    promotion_message,
    reminder_message,
    roster_note,
    server_note,
    split_into_chunks,
    warning_message,
)
from bot.rendering.series_embeds import series_embed, series_list_embed

__all__ = [
    "GamePeople",
    "Payload",
    "Responder",
    "add_snooze_buttons",
    "announcement_message",
    "cancellation_message",
    "change_message",
    "confirm_buttons",
    "disabled_button",
    "drop_out_message",
    "game_embed",
    "game_list_embed",
    "join_button",
    "leave_button",
    "minimum_buttons",
    "minimum_message",
    "nudge_buttons",
    "nudge_message",
    "offer_buttons",
    "offer_end_message",
    "own_games_embed",
    "personal_reminder_message",
    "promotion_message",
    "reminder_message",
    "roster_note",
    "series_embed",
    "series_list_embed",
    "server_note",
    "signup_buttons",
    "split_into_chunks",
    "warning_message",
]

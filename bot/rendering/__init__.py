"""Games as Discord messages: pure functions from models to the JSON that the REST API takes.

No discord.py here: its objects would tie the delivery side to its HTTP client, and a dictionary is what a test reads.
"""

from bot.rendering.announcements import announcement, card
from bot.rendering.buttons import closed, leave, signup
from bot.rendering.listing import listing
from bot.rendering.payload import Payload
from bot.rendering.pings import cancellation, chunks, reminder

__all__ = [
    "Payload",
    "announcement",
    "cancellation",
    "card",
    "chunks",
    "closed",
    "leave",
    "listing",
    "reminder",
    "signup",
]
